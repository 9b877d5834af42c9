"""The loss functions: ``table`` says what there is, as plain data; ``functions`` computes."""
