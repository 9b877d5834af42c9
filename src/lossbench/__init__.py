"""Which loss function should this network be trained with? See README.md."""

__version__ = "0.1.0"
