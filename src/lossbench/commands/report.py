"""``lossbench-report``: writes the report of a sweep again from its results, or compares two sweeps."""

import argparse
import dataclasses
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from lossbench.config.paths import home
from lossbench.config.settings import ReportSettings, plain, report_settings
from lossbench.ground.errors import Problem, UsageError, unknown
from lossbench.ground.files import write_text
from lossbench.ground.garbage import lasting
from lossbench.planning.compared import compared, value_in
from lossbench.planning.known_sweeps import folders_of, newest_sweep
from lossbench.planning.normalisation import normalised_report
from lossbench.planning.plan import Plan, read_plan
from lossbench.planning.schema import structured
from lossbench.planning.validation import report_problems
from lossbench.results.cells import read_results
from lossbench.results.damage import check_files
from lossbench.results.table import write_results

DESCRIPTION = "Write a sweep's report again from its results, or with two names compare the cells that they share."


def run(argv: list[str]) -> int:
    """Write a report and print its tables and answer, or compare two sweeps; return the exit status."""
    parser = argparse.ArgumentParser("lossbench-report", description=DESCRIPTION)
    parser.add_argument("sweep", nargs="*", help="its name (else the newest), or two; and report.… settings")
    words = parser.parse_args(argv).sweep
    # A word with a = is a setting, unless a sweep has that name.
    settings = [w for w in words if "=" in w and not (home() / "multirun" / w).is_dir()]
    names = [w for w in words if w not in settings]
    plans = [_with(read_plan(folder), settings) for folder in _folders(names)]
    if len(plans) == 2:
        return _compare(*plans)
    (plan,) = plans
    from lossbench.console.summary import summary_lines
    from lossbench.findings.tables import tables
    from lossbench.report.writing import write_report

    check_files(plan)
    with lasting():
        results = read_results(plan)
        found = tables(plan, results)
    write_results(plan, results)
    path = write_report(plan, results, found)
    print("\n".join([*summary_lines(plan, results, found), "", f"report: {path}"]).strip())
    return 0


def _folders(names: list[str]) -> list[Path]:
    """Return the folders of the named sweeps, or of the newest one."""
    folders = folders_of(names) or [newest_sweep()]
    if len(names) > 2:
        raise UsageError(Problem(f"lossbench-report takes one sweep, or two to compare; got {len(names)}."))
    return folders


def _with(plan: Plan, settings: list[str]) -> Plan:
    """Return the plan with changed settings of its report (``report.margin=0.01``).

    Raises
    ------
    UsageError
        If a setting is unknown or has an impossible value.
    """
    there = [f"report.{field.name}" for field in dataclasses.fields(ReportSettings)]
    given = [f"report.{text.removeprefix('report.').partition('=')[0]}" for text in settings]
    wrong = [unknown("key", key, there) for key in given if ".".join(key.split(".")[:2]) not in there]
    if wrong:
        raise UsageError(*wrong)
    try:
        config = OmegaConf.merge(OmegaConf.structured(structured(ReportSettings)), plain(plan.report))
        changed = OmegaConf.from_dotlist([text.removeprefix("report.") for text in settings])
        content: Any = OmegaConf.to_container(OmegaConf.merge(config, changed))
    except OmegaConfBaseException as error:
        said = f"{' '.join(settings)}: {str(error).splitlines()[0]}"
        raise UsageError(Problem(said, f"there is {', '.join(there)}.")) from None
    report, _, problems = compared(normalised_report(report_settings(content)), plan.cells)
    problems = problems or report_problems(report, [value_in(cell, report.compare) for cell in plan.cells])
    if problems:
        raise UsageError(*problems)
    return dataclasses.replace(plan, report=report)


def _compare(first: Plan, second: Plan) -> int:
    from lossbench.report.two_sweeps import against_csv, against_lines, shared_cells

    check_files(first)
    check_files(second)
    cells = shared_cells(first, second)
    print("\n".join(against_lines(first, second, cells)))
    path = second.folder / f"against-{first.name}.csv"
    write_text(path, against_csv(first, second, cells))
    print(f"table: {path}")
    return 0
