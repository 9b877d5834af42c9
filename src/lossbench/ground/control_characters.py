"""Finds the characters that a terminal obeys instead of showing them, and that files such as SVG must not have."""

import re

# All but tab and the ends of lines; also those that turn the direction of what follows.
CONTROL = re.compile(r"(?!\r\n)[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]")


def control_character(text: str) -> str:
    """Return the first control character of a text, written as Python escapes it; empty if there is none."""
    found = CONTROL.search(text)
    return ascii(found[0])[1:-1] if found else ""
