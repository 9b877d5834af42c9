"""Which machine and which process this is, so that others on a shared folder know them."""

import os
import re
import socket
from contextlib import suppress
from functools import cache
from pathlib import Path

_BOOT, _PROCESSES = Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")


@cache
def host_name() -> str:
    """Return the name of this machine as part of a file's name: letters, digits and dashes."""
    return re.sub(r"[^A-Za-z0-9]+", "-", socket.gethostname())[:40].strip("-") or "host"


@cache
def machine_id() -> str:
    """Return what is the same for those processes only that know each other's ids.

    Two containers may have one host name, and a machine has other processes after it was started anew.
    """
    found = [socket.gethostname()]
    with suppress(OSError):
        found += [_BOOT.read_text(encoding="ascii").strip(), os.readlink(_PROCESSES)]
    return " ".join(found)


def process_start(process: int) -> str | None:
    """Return when a process of this machine was started, in the system's own unit; '' if it does not tell.

    None if the process has ended; a zombie, which nobody has asked for its status, has.
    """
    try:
        # The name of the command, in parentheses, may have blanks and parentheses of its own.
        fields = Path(f"/proc/{process}/stat").read_text(encoding="latin-1").rpartition(")")[2].split()
        return None if fields[0] in "ZX" else fields[19]
    except (OSError, IndexError):
        pass
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return None
    except OSError:
        pass
    return ""
