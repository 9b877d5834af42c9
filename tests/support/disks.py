"""Small disks in memory, which a test can fill."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Disk:
    """A disk that is mounted on a folder."""

    folder: Path

    def fill(self, free_kilobytes: int) -> None:
        """Fill the disk, but for so much."""
        ballast = self.folder / "ballast"
        # The disk's own blocks for the folder and the file are taken before it is filled.
        ballast.touch()
        free = self._free()
        with ballast.open("wb") as file:
            file.write(bytes(max(0, free - 1024 * free_kilobytes)))

    def _free(self) -> int:
        done = subprocess.run(
            ["df", "--output=avail", "-B1", str(self.folder)], capture_output=True, text=True, check=True
        )
        return int(done.stdout.split()[-1])

    def make_room(self) -> None:
        """Remove what fills it."""
        (self.folder / "ballast").unlink()


@contextmanager
def mounted(folder: Path, megabytes: int) -> Iterator[Disk]:
    """Mount a disk on a folder while the block runs; only root may."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)], check=True)
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
