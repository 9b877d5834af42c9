"""Another user: without rights to write where others do, without a name, and without a home."""

import os
import stat
from pathlib import Path

# Of no user and no group in any list.
USER = 54321
# It may read everything, because this checkout may lie in a folder that only root may enter, and write nothing.
AS_USER = (
    *("/usr/bin/setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups", "--no-new-privs"),
    *(f"--{caps}=-all,+dac_read_search" for caps in ("inh-caps", "ambient-caps", "bounding-set")),
)


def give(folder: Path) -> None:
    """Give the user a folder with everything in it."""
    for path in [folder, *folder.rglob("*")]:
        os.lchown(path, USER, USER)


def take_rights(path: Path) -> None:
    """Make a file or folder read-only for everybody."""
    path.chmod(stat.S_IMODE(path.stat().st_mode) & ~0o222)
