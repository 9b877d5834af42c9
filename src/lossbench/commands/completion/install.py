"""``lossbench-completion``: sets up completion in a shell, takes it away again, and answers the shell's questions."""

import argparse
import os
from pathlib import Path

from lossbench.commands.completion.words import replies
from lossbench.ground.errors import Problem, UsageError

SHELLS = ("bash", "zsh", "fish")
# Ends the line that is added to the shell's start file, by which it is found again.
SIGN = "# lossbench: completion"


def run(argv: list[str]) -> int:
    """Do what the arguments ask for and return the exit status."""
    parser = argparse.ArgumentParser(
        "lossbench-completion", description="Complete groups, choices, keys and a file's columns with the Tab key."
    )
    asked = parser.add_subparsers(dest="asked", required=True, metavar="install|remove")
    for name, does in (("install", "set it up for a shell"), ("remove", "take it away again")):
        own = asked.add_parser(name, help=does)
        own.add_argument("shell", nargs="?", choices=SHELLS, help="without it, the shell of $SHELL")
    words = asked.add_parser("words")
    words.add_argument("shell", choices=SHELLS)
    words.add_argument("line")
    arguments = parser.parse_args(argv)
    if arguments.asked == "words":
        print("\n".join(replies(arguments.shell, arguments.line)))
        return 0
    shell = arguments.shell or _shell_of_user()
    for line in (install if arguments.asked == "install" else remove)(shell):
        print(line)
    return 0


def install(shell: str) -> list[str]:
    """Set up completion for a shell, and return lines that say what was done and where."""
    script, start = places(shell)
    script.parent.mkdir(parents=True, exist_ok=True)
    script.write_text(Path(__file__).with_name(f"lossbench.{shell}").read_text(encoding="utf-8"), encoding="utf-8")
    done = [f"written: {script}"]
    if start is not None:
        line = f'source "{script}" {SIGN}'
        lines = start.read_text(encoding="utf-8").splitlines() if start.exists() else []
        if line in lines:
            done.append(f"{start} loads it already")
        else:
            start.parent.mkdir(parents=True, exist_ok=True)
            start.write_text("\n".join([*_without_ours(lines), line]) + "\n", encoding="utf-8")
            done.append(f"added to {start}: {line}")
    again = f"source '{script}'"
    return [
        *done,
        f"it works in every new {shell}, and here after: {again}",
        f"to undo: lossbench-completion remove {shell}",
    ]


def remove(shell: str) -> list[str]:
    """Take completion away from a shell, and return lines that say what was done."""
    script, start = places(shell)
    done = []
    if script.exists():
        script.unlink()
        done.append(f"removed: {script}")
    lines = start.read_text(encoding="utf-8").splitlines() if start is not None and start.exists() else []
    if start is not None and _without_ours(lines) != lines:
        start.write_text("".join(f"{line}\n" for line in _without_ours(lines)), encoding="utf-8")
        done.append(f"its line is no longer in {start}")
    return done or [f"there is no completion of lossbench for {shell}"]


def places(shell: str) -> tuple[Path, Path | None]:
    """Return where a shell's script goes, and the start file that loads it; fish loads its own folder."""
    if shell == "fish":
        return _folder("XDG_CONFIG_HOME", ".config") / "fish" / "conf.d" / "lossbench.fish", None
    script = _folder("XDG_DATA_HOME", ".local/share") / "lossbench" / f"completion.{shell}"
    start = Path.home() / ".bashrc" if shell == "bash" else Path(os.environ.get("ZDOTDIR") or Path.home()) / ".zshrc"
    return script, start


def _folder(variable: str, usual: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / usual)


def _without_ours(lines: list[str]) -> list[str]:
    return [line for line in lines if not line.endswith(SIGN)]


def _shell_of_user() -> str:
    shell = Path(os.environ.get("SHELL", "")).name
    if shell not in SHELLS:
        said = f"completion is there for {', '.join(SHELLS)}; $SHELL is {shell or 'not set'}."
        raise UsageError(Problem(said, "name yours: lossbench-completion install bash"))
    return shell
