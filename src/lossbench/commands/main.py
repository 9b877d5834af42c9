"""The entry points of the commands, which turn errors and signals into messages and exit statuses.

Each command's module is imported when the command runs, so that no command pays for another one's imports.
"""

import contextlib
import errno
import io
import logging
import shlex
import signal
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from lossbench import __version__
from lossbench.config.mlflow_environment import kept_address
from lossbench.console.streams import drop_output, flush, prepare_streams
from lossbench.ground import process_start  # noqa: F401
from lossbench.ground.errors import INTERRUPTED, NOT_THERE, SUCCESS, USAGE, Problem, UsageError
from lossbench.ground.garbage import lasting
from lossbench.ground.secrets import without_secrets
from lossbench.ground.shortages import problem_of_shortage

if TYPE_CHECKING:
    from lossbench.planning.command_line import Arguments

ADDRESS = "tracking.uri"
# Errors of a folder that is read-only: the user's to solve, so they are reported without a traceback.
NO_PLACE = (errno.EACCES, errno.EPERM, errno.EROFS)


def _command(run: Callable[[list[str]], int]) -> None:
    """Run a command and exit with its status; a user's mistake is printed without a traceback."""
    # SIGTERM raises KeyboardInterrupt as Ctrl-C does, so that a terminated sweep ends in order too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    prepare_streams()
    # A log that cannot be written, on a full disk, is no reason for a traceback of each of its lines.
    logging.raiseExceptions = False
    # Without a home folder Matplotlib says at length where it keeps its list of fonts instead.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    status = _status(run)
    try:
        flush()
    except OSError as error:
        _reported(error)
        status = NOT_THERE
    sys.exit(status)


def _status(run: Callable[[list[str]], int]) -> int:
    try:
        return run(sys.argv[1:])
    except UsageError as error:
        # A launcher that could not run its jobs may have lacked memory.
        problem = problem_of_shortage(error.__cause__)
        print(without_secrets(str(problem or error)), file=sys.stderr)
        return NOT_THERE if problem else error.exit_status
    except SystemExit as left:
        # --help, or a mistake that the parser of the arguments or Hydra has printed.
        return left.code if isinstance(left.code, int) else SUCCESS if left.code is None else USAGE
    except BrokenPipeError:
        # The reader of the output has ended (lossbench-list | head).
        drop_output()
        return SUCCESS
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        if not _reported(error):
            raise
        return NOT_THERE


def _reported(error: Exception) -> bool:
    """Print the problem of a machine that has run out of something or a folder that cannot be written, if it is one."""
    problem = problem_of_shortage(error)
    if problem is None and isinstance(error, OSError) and error.errno in NO_PLACE:
        said = f"{error.filename or 'a file'} cannot be written: {error.strerror}."
        problem = Problem(said, "results go to LOSSBENCH_HOME, exports to the working directory: choose others.")
    if problem is not None:
        print(problem, file=sys.stderr)
    return problem is not None


def main() -> None:
    """Run ``lossbench``: one cell, a sweep, a view of the configuration by Hydra; alone, say where one stands."""
    _command(_lossbench)


def report_main() -> None:
    """Run ``lossbench-report``, which writes a sweep's report again or compares two sweeps."""
    _command(_report)


def sync_main() -> None:
    """Run ``lossbench-sync``, which sends results to MLflow that are not in it yet."""
    _command(_sync)


def remove_main() -> None:
    """Run ``lossbench-remove``, which removes sweeps from disk and from MLflow."""
    from lossbench.commands.remove import run

    _command(run)


def ui_main() -> None:
    """Run ``lossbench-ui``, which starts MLflow's UI on the results."""
    from lossbench.commands.ui import run

    _command(run)


def list_main() -> None:
    """Run ``lossbench-list``, which shows what can be chosen."""
    from lossbench.commands.list_choices import run

    _command(run)


def completion_main() -> None:
    """Run ``lossbench-completion``, which sets up completion in shells and answers their questions."""
    from lossbench.commands.completion.install import run

    _command(run)


def export_main() -> None:
    """Run ``lossbench-export``, which writes scripts, tuned settings and models."""
    from lossbench.commands.export import run

    _command(run)


def _lossbench(argv: list[str]) -> int:
    from lossbench.planning.command_line import read_flags, read_overrides

    if "--version" in argv:
        print(f"lossbench {__version__}")
        return 0
    flags = read_flags(argv)
    if flags.shell_completion:
        return _hydra(argv)
    if flags.config_path or flags.config_name or flags.config_dir or flags.experimental_rerun:
        raise UsageError(
            Problem(
                "--config-path, --config-name, --config-dir and --experimental-rerun do not work with lossbench.",
                "put your own choices into ./conf/<group>/<name>.yaml: they are added to ours.",
            )
        )
    if flags.hydra_help:
        return _hydra(["--hydra-help"])
    if flags.help or flags.cfg or flags.info is not None:
        return _view(flags)
    if not flags.overrides:
        from lossbench.commands.standing import run

        return run()
    with lasting():
        from lossbench.jobs.early_start import start_early
        from lossbench.jobs.worker.supervision import supervisor
        from lossbench.planning.planner import make_plan

    arguments = _without_secrets(read_overrides(flags.overrides, multirun=flags.multirun))
    command = shlex.join(["lossbench", *map(without_secrets, argv)])
    try:
        plan = make_plan(arguments, command, partial(start_early, arguments.hydra))
        # Imported here: it takes a while, in which the process that trains can already load what it needs.
        with lasting():
            from lossbench.sweep import run_sweep

        return run_sweep(plan)
    finally:
        supervisor.end()


def _without_secrets(arguments: "Arguments") -> "Arguments":
    """Move the secrets of a server's address into the environment: everything else of the arguments is written down."""
    if ADDRESS in arguments.values:
        arguments.values[ADDRESS] = [kept_address(uri) if uri else uri for uri in arguments.values[ADDRESS]]
    return arguments


def _view(flags) -> int:
    """Have Hydra print help, configuration or info; of a sweep with several cells, those of the first one."""
    from lossbench.planning.command_line import encode, read_overrides

    arguments = _without_secrets(read_overrides(flags.overrides, multirun=flags.multirun))
    chosen = {key: values[0] for key, values in (arguments.choices | arguments.values).items()}
    overrides = [encode(key, value) for key, value in chosen.items()]
    if flags.help:
        return _hydra(["--help", *overrides])
    options = [] if flags.cfg is None else ["--cfg", flags.cfg]
    options += [] if flags.info is None else ["--info", flags.info]
    options += ["--resolve"] if flags.resolve else []
    options += ["--package", flags.package] if flags.package else []
    return _hydra([*options, *overrides, *arguments.hydra])


def _hydra(argv: list[str]) -> int:
    """Hand the command line over to Hydra, which reads it from ``sys.argv``."""
    import hydra

    from lossbench.config.paths import conf_folder
    from lossbench.planning.composition import search_path_override

    # Shell completion rewrites the command line itself, so nothing may be added to it.
    extra = [] if {"-sc", "--shell-completion", "--hydra-help"} & set(argv) else search_path_override()
    sys.argv = [sys.argv[0], *argv, *extra]
    said = io.StringIO()
    try:
        # Printed by us: Hydra would print a traceback if the reader of its output has ended.
        with contextlib.redirect_stdout(said):
            hydra.main(config_path=str(conf_folder()), config_name="config", version_base="1.3")(_no_job)()
    finally:
        print(said.getvalue(), end="")
    return SUCCESS


def _no_job(_config: object) -> None:
    """Stand for the job where Hydra only shows something: the real one would load what no view needs."""


def _sync(argv: list[str]) -> int:
    with lasting():
        from lossbench.commands.sync import run

    return run(argv)


def _report(argv: list[str]) -> int:
    with lasting():
        from lossbench.commands.report import run

    return run(argv)
