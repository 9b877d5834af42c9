"""What runs are compared by: the table of metrics, and their computation."""
