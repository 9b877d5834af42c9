"""What leaves lossbench: a training as a Keras script, a network as a saved model, tuned rates as a preset."""
