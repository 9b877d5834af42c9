"""user_file."""
