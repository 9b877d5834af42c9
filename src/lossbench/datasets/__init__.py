"""The data sets: ``table`` says what there is, as plain data; ``loading`` makes them."""
