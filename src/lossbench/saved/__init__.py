"""A trained network with its preprocessing, as a model of MLflow that answers for new rows."""
