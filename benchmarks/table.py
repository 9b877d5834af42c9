"""What was measured, as text for a terminal of 80 columns."""

from collections.abc import Iterator
from typing import Any

N_RUNS = 270
WAYS = {"a": "a  a Hydra job a run", "b": "b  a careful loop", "c": "c  lossbench"}
C_NAMES = {"c": "C", "c_fast_math": "-ffast-math"}
GIGABYTE = 1e9


def render(results: dict[str, Any]) -> str:
    parts = [machine_lines(results["machine"])]
    parts += [
        sweep_lines(results),
        ratio_lines(results),
        d_lines(results),
        e_lines(results),
        f_lines(results),
        g_lines(results),
        h_lines(results),
        other_lines(results),
        budgets(results),
    ]
    return "\n\n".join("\n".join(lines) for lines in map(list, parts) if lines)


def measured(results: dict[str, Any], part: str) -> dict[str, Any] | None:
    found = results.get(part)
    return None if found is None or "skipped" in found else found


def machine_lines(machine: dict[str, Any]) -> Iterator[str]:
    yield f"{machine['date']}, {machine['processor']}, {machine['cores']} cores, {machine['system']}"
    yield ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    load = f"load of the machine: {machine['load_before']} before, {machine['load_after']} after"
    yield f"{load}; measured in {machine['minutes']:.0f} minutes"


def sweep_lines(results: dict[str, Any]) -> Iterator[str]:
    if not any(part in results for part in WAYS):
        return
    yield "the tutorial: 9 cells x 30 seeds = 270 runs, all in MLflow (SQLite); seconds"
    yield f"{'':<20}{'start-up':>10}{'a run,':>12}{'270 runs,':>12}{'270 runs,':>12}{'of all':>14}"
    yield f"{'':<20}{'':>10}{'without it':>12}{'without it':>12}{'with it':>12}{'processors':>14}"
    for part, name in WAYS.items():
        found = measured(results, part)
        if found:
            start_up, apart, included, cpu = (found[key] for key in ("start_up", "apart", "included", "cpu"))
            yield f"{name:<20}{start_up:>10.1f}{apart / N_RUNS:>12.3f}{apart:>12.0f}{included:>12.0f}{cpu:>14.0f}"
    for part in ("a", "b"):
        if measured(results, part):
            yield f"{part}: from {len(results[part]['runs'])} runs; {_times(results[part]['runs'])}"


def _times(runs: list[dict[str, Any]]) -> str:
    times = {dataset: [r["seconds"] for r in runs if r["dataset"] == dataset] for dataset in _datasets(runs)}
    return ", ".join(f"{name} {sum(values) / len(values):.1f} s" for name, values in times.items()) + " a run"


def _datasets(runs: list[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(run["dataset"] for run in runs))


def ratio_lines(results: dict[str, Any]) -> Iterator[str]:
    ours = measured(results, "c")
    rows = [part for part in ("a", "b") if measured(results, part)]
    if not ours or not rows:
        return
    yield "times slower than lossbench"
    yield f"{'':<8}{'start-up left out':>20}{'with it':>12}{'of all processors':>22}"
    for part in rows:
        apart, included, cpu = (results[part][name] / ours[name] for name in ("apart", "included", "cpu"))
        yield f"{part + ' / c':<8}{apart:>20.0f}{included:>12.0f}{cpu:>22.0f}"


def d_lines(results: dict[str, Any]) -> Iterator[str]:
    if "d" not in results:
        return
    found = measured(results, "d")
    if not found:
        yield f"d  against C: skipped: {results['d']['skipped']}"
        return
    yield f"d  the training alone, one core: ms a run, medians of {found['repeats']} (time of the processor)"
    yield f"{'':<42}{'ours':>7}{'C':>7}{'ratio':>7}{'C fast':>8}{'ratio':>7}"
    for cell in found["cells"]:
        yield _d_row(cell["cell"].rpartition("/")[0], cell["cpu_milliseconds"])
    yield _d_row("all nine", total(found, "cpu_milliseconds"))
    yield _d_row("all nine, by the clock", total(found, "milliseconds"))
    drawn = total(found, "cpu_milliseconds")["draw"] / len(found["cells"])
    yield f"both are given weights and batch orders; drawing these costs ours {drawn:.1f} ms a run"
    yield f"weights of ours and C, largest difference, {'median seed':>23}{'worst seed':>13}"
    for name, difference in (
        (f"after {found['early_epochs']} epochs", "early_weights"),
        ("at the end (see README.md)", "weights"),
    ):
        yield f"  {name:<40}{apart(found, difference, 'median'):>23.0e}{apart(found, difference, 'max'):>13.0e}"


def e_lines(results: dict[str, Any]) -> Iterator[str]:
    if "e" not in results:
        return
    found = measured(results, "e")
    if not found:
        yield f"e  against KerasTuner: skipped: {results['e']['skipped']}"
        return
    ours, theirs = found["ours"], found["keras_tuner"]
    n_sampled = sum(study["trainings"] for study in theirs["studies"])
    yield f"e  nine studies of 17 rates x 10 folds, {found['n_trainings']} trainings; seconds, with start-up"
    yield f"{'':<46}{'by the clock':>16}{'of all processors':>18}"
    rows = (("KerasTuner, Bayesian optimisation, untracked", theirs), ("lossbench, a grid of rates, tracked", ours))
    for name, of in rows:
        yield f"{name:<46}{of['seconds']:>16.0f}{of['cpu_seconds']:>18.0f}"
    clock, cpu = (theirs[name] / ours[name] for name in ("seconds", "cpu_seconds"))
    yield f"{'times slower':<46}{clock:>16.0f}{cpu:>18.0f}"
    yield f"KerasTuner: from {n_sampled} trainings; {_times(theirs['studies'])}"


def f_lines(results: dict[str, Any]) -> Iterator[str]:
    found = measured(results, "f")
    if not found:
        return
    yield "f  large data: an epoch in batches of 32, evaluated; memory beside what the process had before"
    yield f"{'':<28}{'rows':>10}{'ours, s':>10}{'fit, s':>9}{'ratio':>7}{'data, MB':>10}{'ours, MB':>10}{'fit':>6}"
    by_data: dict[str, dict[str, dict[str, float]]] = {}
    for each in found["trainings"]:
        by_data.setdefault(each["data"], {})[each["trainer"]] = each
    for name, of in by_data.items():
        ours, fit = of["compiled"], of["fit"]
        megabytes = [value / 1e6 for value in (ours["data_bytes"], ours["bytes"], fit["bytes"])]
        times = f"{ours['seconds']:>10.2f}{fit['seconds']:>9.2f}{fit['seconds'] / ours['seconds']:>7.1f}"
        yield f"{name:<28}{ours['rows']:>10}{times}{megabytes[0]:>10.0f}{megabytes[1]:>10.0f}{megabytes[2]:>6.0f}"


def g_lines(results: dict[str, Any]) -> Iterator[str]:
    found = measured(results, "g")
    if not found:
        return
    yield "g  growing sweeps of two epochs, tracked and reported: seconds, and megabytes"
    columns = ("cells", "runs", "plan", "all", "ms a run", "report", "again", "memory", "page", "results", "store")
    yield "".join(f"{name:>9}" for name in columns)
    for of in found["sweeps"]:
        row = [of["cells"], of["runs"], f"{of['plan']:.1f}", f"{of['whole']:.1f}"]
        row += [f"{1e3 * of['whole'] / of['runs']:.0f}", f"{of['report']:.1f}", f"{of['again']:.1f}"]
        sizes = (of[name] for name in ("peak_bytes", "report_bytes", "results_bytes", "store_bytes"))
        yield "".join(f"{value:>9}" for value in [*row, *(f"{(size or 0) / 1e6:.1f}" for size in sizes)])


LIBRARIES = {"ours": "lossbench", "scikit_learn": "scikit-learn", "torch": "PyTorch", "torch_vmap": "with vmap"}


def h_lines(results: dict[str, Any]) -> Iterator[str]:
    found = measured(results, "h")
    if not found:
        return
    yield f"h  the training alone, one core: ms a run, medians of {found['repeats']} (time of the processor)"
    yield f"{'':<42}" + "".join(f"{name:>13}" for name in LIBRARIES.values())
    for cell in found["cells"]:
        times = [cell["cpu_milliseconds"].get(name) for name in LIBRARIES]
        shown = "".join(f"{'-' if value is None else format(value, '.1f'):>13}" for value in times)
        yield f"{cell['cell'].rpartition('/')[0]:<42}{shown}"
    if found["torch"] is None:
        yield "there is no PyTorch here (pip install torch); see README.md"
        return
    apart = max(cell["early_weights"] for cell in found["cells"])
    yield f"PyTorch {found['torch']}, vmap over {found['stacked']} seeds; weights after 5 epochs differ by {apart:.0e}"


def apart(found: dict[str, Any], difference: str, of_seeds: str) -> float:
    """Return a difference between ours and C in the cell where it is largest."""
    return max(cell["difference"][difference][of_seeds] for cell in found["cells"])


def _d_row(name: str, milliseconds: dict[str, float]) -> str:
    ours, c, fast = (milliseconds[key] for key in ("ours", "c", "c_fast_math"))
    return f"{name:<42}{ours:>7.1f}{c:>7.1f}{ours / c:>7.2f}{fast:>8.1f}{ours / fast:>7.2f}"


def total(found: dict[str, Any], clock: str) -> dict[str, float]:
    cells = [cell[clock] for cell in found["cells"]]
    return {name: sum(cell[name] for cell in cells) for name in cells[0]}


def other_lines(results: dict[str, Any]) -> Iterator[str]:
    found = measured(results, "c")
    if not found:
        return
    first = found["rounds"][0]["fresh"]
    yield (
        f"checked after each sweep: {first['rows']} rows in results.csv, {first['cell_runs']} cell runs and "
        f"{first['seed_runs']}"
    )
    yield "seed runs in mlflow.db, none unfinished"
    yield f"one more seed of a cell: {1e3 * found['one_more_seed_cpu']:.0f} ms of all processors"
    yield f"a 31st seed for all nine cells, as a command of its own: {found['thirty_first_seed']:.1f} s"
    for name, of in (("the sweep", first.get("phases")), ("the 31st seed", found["rounds"][0].get("more"))):
        if of:
            yield f"{name}: {', '.join(f'{part} {seconds:.1f}' for part, seconds in of.items())}"


def budgets(results: dict[str, Any]) -> Iterator[str]:
    lines = list(_budgets(results))
    if lines:
        yield "budgets"
        for name, value, limit, unit, at_least in lines:
            met = value >= limit if at_least else value <= limit
            compared = ">=" if at_least else "<="
            yield f"{'met' if met else 'NOT MET':<8}{name:<46}{value:>8.3g}  {compared} {limit:g} {unit}".rstrip()


def _budgets(results: dict[str, Any]) -> Iterator[tuple[str, float, float, str, bool]]:
    a, c, d = (measured(results, part) for part in "acd")
    if c:
        yield "270 tracked runs, with start-up", c["included"], 12, "s", False
    if a and c:
        yield "a / c, 270 runs, with start-up", a["included"] / c["included"], 400, "times", True
    if c:
        yield "one more seed of a cell, tracked, mean of nine", 1e3 * c["one_more_seed"], 15, "ms", False
        yield "a 31st seed for all nine cells", c["thirty_first_seed"], 8, "s", False
    if d:
        milliseconds = total(d, "cpu_milliseconds")
        yield "training alone, ours / C, all nine cells", milliseconds["ours"] / milliseconds["c"], 1.15, "times", False
        worst = max(of["cpu_milliseconds"]["ours"] / of["cpu_milliseconds"]["c"] for of in d["cells"])
        yield "training alone, ours / C, the worst cell", worst, 1.4, "times", False
        difference = apart(d, "early_weights", "median")
        yield f"weights of ours and C, difference, {d['early_epochs']} epochs", difference, 1e-3, "", False
    if c:
        yield "the same command again, all finished", c["again"], 3, "s", False
        yield "lossbench --help", c["help"], 1, "s", False
        yield "an error in the arguments", c["error"], 1, "s", False
    if c and c["peak_bytes"]:
        yield "most memory of the sweep, all processes", c["peak_bytes"] / GIGABYTE, 1.5, "GB", False
