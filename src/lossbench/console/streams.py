r"""Prepares standard output and error: any text can be printed to them, whatever their encoding, open or closed.

Files are always UTF-8. A terminal may not be: it then gets our signs in a plain form (``0.842 +-0.003``) and other
characters of the user's as escapes (``gr\xf6\xdfe.csv``), instead of an error in the middle of a sweep.
"""

import codecs
import io
import os
import sys
from contextlib import suppress
from typing import TextIO

ERRORS = "lossbench-plain"
# The plain forms of our own signs. Each is as wide as the sign, or the sign and the blank behind it, so that tables
# keep their columns; only the dots and arrows stand at the ends of sentences.
PLAIN = {
    "±": "+-",
    "×": "x",
    "†": "*",
    "…": "...",
    "−": "-",
    "–": "-",
    "—": "-",
    "·": "|",
    "“": '"',
    "”": '"',
    "\u00a0": " ",
    "\u2009": " ",
    "\u202f": " ",
    "’": "'",
}


def prepare_streams() -> None:
    """Let standard output and error take any text; one that the caller has closed takes it and drops it."""
    _leave_ascii()
    codecs.register_error(ERRORS, _plain_form)
    _fill_closed_descriptors()
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=ERRORS)


def _leave_ascii() -> None:
    """Start the process again in Python's UTF-8 mode if it has only ASCII for arguments, file names and libraries.

    That is so where the language that the environment asks for is not installed. The encoding of the streams stays.
    """
    only_ascii = codecs.lookup(sys.getfilesystemencoding()).name == "ascii"
    if not only_ascii or "utf8" in sys._xoptions or sys.flags.ignore_environment:
        return
    streams = getattr(sys.stdout or sys.stderr, "encoding", None) or "ascii"
    command = [sys.executable, "-X", "utf8", *sys.orig_argv[1:]]
    os.execve(sys.executable, command, {**os.environ, "PYTHONUTF8": "1", "PYTHONIOENCODING": streams})


def _fill_closed_descriptors() -> None:
    """Open the null device as each closed standard descriptor: the next file would get its number, and our output."""
    number = 0
    while number <= 2:
        number = os.open(os.devnull, os.O_RDWR)
    os.close(number)


def _plain_form(error: UnicodeError) -> tuple[str, int]:
    """Return the plain form of the characters that a stream cannot encode, and where encoding goes on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text, end = "", error.end
    for sign in error.object[error.start : error.end]:
        text += PLAIN.get(sign) or _escaped(sign)
    if error.object[error.end - 1] == "±" and error.object[error.end : error.end + 1] == " ":
        # The form is one character longer than the sign, so it takes the place of the blank.
        end += 1
    return text, end


def _escaped(sign: str) -> str:
    # A byte of a file name that is not valid in the system's encoding is kept by Python as a lone surrogate.
    byte = ord(sign) - 0xDC00
    return f"\\x{byte:02x}" if 0x80 <= byte <= 0xFF else sign.encode("ascii", "backslashreplace").decode()


def flush() -> None:
    """Write what is buffered; if the reader of the output has ended (``lossbench-list | head``), drop it.

    Raises
    ------
    OSError
        If it cannot be written for another reason, such as a full disk.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            with suppress(BrokenPipeError):
                stream.flush()
                continue
        except OSError:
            drop_output(stream)
            raise
        drop_output(stream)


def drop_output(stream: TextIO | None = None) -> None:
    """Let a stream (default: standard output) lead nowhere, so that what it still has raises nothing at exit."""
    with suppress(OSError, ValueError), open(os.devnull, "w", encoding="utf-8") as nowhere:
        os.dup2(nowhere.fileno(), (stream or sys.stdout).fileno())
