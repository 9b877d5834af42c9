"""Measures the tutorial (9 cells, 30 seeds): a Hydra job a run, a careful loop, lossbench, and C. See README.md.

`make bench`, or `.venv/bin/python benchmarks/run.py --quick --only c,d`; with `--record` for the documents.
"""

import argparse
import importlib.util
import json
import os
import platform
import re
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from importlib.metadata import version
from pathlib import Path
from statistics import mean, median
from typing import Any

import table
from measure import HERE, lossbench, run, script
from record import PartialRunError, record

PARTS = {
    "a": "a Hydra job for each run, with Model.fit and MLflow's autologging",
    "b": "a careful loop with Model.fit in one process",
    "c": "lossbench experiment=tutorial",
    "d": "the training alone, on one core, against C",
    "e": "nine studies of the learning rate, against KerasTuner",
    "f": "large data, an epoch, against Model.fit",
    "g": "growing sweeps: planning, runs, report and memory",
    "h": "the training alone, on one core, against scikit-learn and PyTorch",
}
N_CELLS, N_RUNS_PER_DATASET = 9, 90
N_ROUNDS = 3
LOSSES = {
    "regression": ("mean_squared_error", "mean_squared_logarithmic_error", "mean_absolute_error"),
    "circles": ("binary_crossentropy", "hinge", "squared_hinge"),
    "blobs": ("categorical_crossentropy", "sparse_categorical_crossentropy", "kl_divergence"),
}
MORE_SEEDS = 90
N_RATES, N_FOLDS = 17, 10


def main() -> None:
    options = read_options()
    results: dict[str, Any] = {"machine": machine(), "options": vars(options)}
    started = time.perf_counter()
    results |= measure(options)
    results["machine"] |= {"load_after": load(), "minutes": (time.perf_counter() - started) / 60}
    text = table.render(results)
    print(f"\n{text}")
    save(results, text)
    if options.record:
        try:
            record(results, text, command())
        except PartialRunError as error:
            raise SystemExit(f"error: {error}") from None
        print("recorded in benchmarks/measured.json and README.md; tests/documentation says what else quotes it")


def measure(options: argparse.Namespace) -> dict[str, Any]:
    """Measure the chosen parts, a, b and c in turn, so that what else the machine does falls on all of them."""
    rounds: dict[str, list[Any]] = {part: [] for part in "abc" if part in options.only}
    for number in range(1 if options.quick else N_ROUNDS):
        for part, found in rounds.items():
            say(f"({part}) {PARTS[part]} ...")
            found.append(MEASURE[part](sample(options.sample, number)))
    results = {part: SUMMARY[part](found) for part, found in rounds.items()}
    if "c" in results:
        results["c"] |= answers(3 if options.quick else 10)
    if "d" in options.only:
        say(f"(d) {PARTS['d']} ...")
        results["d"] = against_c(10 if options.quick else 40)
    if "e" in options.only:
        say(f"(e) {PARTS['e']} ...")
        results["e"] = against_keras_tuner(1 if options.quick else 3)
    for part, (file, quick, whole) in SCRIPTS.items():
        if part in options.only:
            say(f"({part}) {PARTS[part]} ...")
            results[part] = of_script(file, *(quick if options.quick else whole), bound=part == "h")
    return results


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Measure lossbench against other ways to run the tutorial, and C.")
    parser.add_argument("--quick", action="store_true", help="fewer repetitions")
    parser.add_argument(
        "--only", default=",".join(PARTS), help="parts, with commas: " + "; ".join(map(" ".join, PARTS.items()))
    )
    parser.add_argument("--sample", type=int, default=1, help="runs of each data set and round, in a and b")
    parser.add_argument("--record", action="store_true", help="all parts: write the figures that the documents quote")
    options = parser.parse_args()
    options.only = options.only.split(",")
    unknown = sorted(set(options.only) - set(PARTS))
    if unknown or options.sample < 1:
        parser.error(f"--only takes {', '.join(PARTS)}" if unknown else "--sample must be at least 1")
    if options.record and set(options.only) != set(PARTS):
        parser.error("--record needs all parts; leave --only out")
    return options


def command() -> str:
    """Return what was typed, as `make bench` takes it."""
    arguments = " ".join(sys.argv[1:])
    return f'make bench ARGS="{arguments}"' if arguments else "make bench"


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def machine() -> dict[str, Any]:
    return {
        "date": time.strftime("%Y-%m-%d"),
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "versions": {name: version(name) for name in ("tensorflow", "keras", "mlflow", "hydra-core", "optuna")},
        "load_before": load(),
    }


def processor() -> str:
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def load() -> float | None:
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None


# ---- (a) and (b): a sample of runs, scaled to all.


def sample(n_runs: int, number: int) -> list[tuple[str, str, int]]:
    """Return a round's runs, ``n_runs`` of each data set: its losses in turn, each time with the next seed."""
    chosen = range(number * n_runs, (number + 1) * n_runs)
    return [(dataset, losses[i % 3], i // 3) for dataset, losses in LOSSES.items() for i in chosen]


def job_by_job(runs: list[tuple[str, str, int]]) -> list[dict[str, Any]]:
    """Run each as a process of its own; return the seconds of each."""
    if importlib.util.find_spec("tensorboard") is None:
        raise SystemExit("error: MLflow's autologging of Keras needs tensorboard.\n  hint: pip install tensorboard")
    measured = []
    with tempfile.TemporaryDirectory() as folder:
        # The store's schema is made once a sweep, not once a job.
        create = "from mlflow import MlflowClient; MlflowClient('sqlite:///mlflow.db').create_experiment('tutorial')"
        run([sys.executable, "-c", create], folder)
        for dataset, loss, seed in runs:
            say(f"  {dataset}/{loss}/seed={seed}")
            job = run([*script("job_by_job.py"), f"dataset={dataset}", f"loss={loss}", f"seed={seed}"], folder)
            own = last_json(job.output)
            start_up = {"start_up": job.seconds - own["seconds"], "cpu_start_up": job.cpu_seconds - own["cpu_seconds"]}
            measured.append({"dataset": dataset, "loss": loss, "seed": seed, **own, **start_up})
    return measured


def plain_loop(runs: list[tuple[str, str, int]]) -> dict[str, Any]:
    """Run all in one process; return the seconds of each, and those of the process besides."""
    with tempfile.TemporaryDirectory() as folder:
        finished = run([*script("plain_loop.py"), *("/".join(map(str, chosen)) for chosen in runs)], folder)
    measured = last_json(finished.output)["runs"]
    return {
        "runs": measured,
        "start_up": finished.seconds - sum(run["seconds"] for run in measured),
        "cpu_start_up": finished.cpu_seconds - sum(run["cpu_seconds"] for run in measured),
    }


def jobs_summary(rounds: list[list[dict[str, Any]]]) -> dict[str, Any]:
    runs = [run for measured in rounds for run in measured]
    apart = scaled(runs, "seconds")
    return {
        "runs": runs,
        "start_up": mean(run["start_up"] for run in runs),
        "apart": apart,
        "included": apart + scaled(runs, "start_up"),
        "cpu": scaled(runs, "cpu_seconds") + scaled(runs, "cpu_start_up"),
    }


def loop_summary(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    runs = [run for measured in rounds for run in measured["runs"]]
    start_up = median(measured["start_up"] for measured in rounds)
    apart = scaled(runs, "seconds")
    return {
        "runs": runs,
        "start_up": start_up,
        "apart": apart,
        "included": apart + start_up,
        "cpu": scaled(runs, "cpu_seconds") + median(measured["cpu_start_up"] for measured in rounds),
    }


def scaled(runs: list[dict[str, Any]], name: str) -> float:
    """Return a sum over the whole tutorial: every data set's 90 runs cost what its sampled ones did on average."""
    return sum(N_RUNS_PER_DATASET * mean(r[name] for r in runs if r["dataset"] == dataset) for dataset in LOSSES)


def last_json(output: str) -> dict[str, Any]:
    return json.loads(output.strip().splitlines()[-1])


# ---- (c): the real command.


def sweeps(_: list[tuple[str, str, int]]) -> dict[str, Any]:
    """Run the whole tutorial, the same command again, with a seed more, and, elsewhere, with many more seeds."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = tutorial(folder, seeds=30)
        again = median(run(lossbench("experiment=tutorial"), folder).seconds for _ in range(3))
        more = run(lossbench("experiment=tutorial", "seeds=31"), folder)
    with tempfile.TemporaryDirectory() as folder:
        larger = tutorial(folder, seeds=MORE_SEEDS)
    return {
        "fresh": fresh,
        "again": again,
        "thirty_first_seed": more.seconds,
        "more": phases(more.output),
        "larger": larger,
    }


def sweeps_summary(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    fresh = [found["fresh"] for found in rounds]
    included = median(sweep["seconds"] for sweep in fresh)
    start_up = median(sweep["start_up"] for sweep in fresh)
    marginal = median(found["larger"]["seconds"] - found["fresh"]["seconds"] for found in rounds)
    marginal_cpu = median(found["larger"]["cpu_seconds"] - found["fresh"]["cpu_seconds"] for found in rounds)
    peaks = [sweep["peak_bytes"] for sweep in fresh]
    return {
        "rounds": rounds,
        "start_up": start_up,
        "apart": included - start_up,
        "included": included,
        "cpu": median(sweep["cpu_seconds"] for sweep in fresh),
        "one_more_seed": marginal / (N_CELLS * (MORE_SEEDS - 30)),
        "one_more_seed_cpu": marginal_cpu / (N_CELLS * (MORE_SEEDS - 30)),
        "again": median(found["again"] for found in rounds),
        "thirty_first_seed": median(found["thirty_first_seed"] for found in rounds),
        "peak_bytes": max(peaks) if all(peaks) else None,
    }


def tutorial(folder: str, seeds: int) -> dict[str, Any]:
    """Run the tutorial in an empty folder and check that everything is there."""
    say(f"  {seeds} seeds")
    finished = run(lossbench("experiment=tutorial", f"seeds={seeds}"), folder)
    rows = (Path(folder) / "multirun" / "tutorial" / "results.csv").read_text().splitlines()[1:]
    with closing(sqlite3.connect(Path(folder) / "mlruns" / "mlflow.db")) as store:
        counts = dict(store.execute("select value, count(*) from tags where key = 'kind' group by value"))
        unfinished = store.execute("select count(*) from runs where status != 'FINISHED'").fetchone()[0]
        first = store.execute(
            "select min(start_time) from runs join tags using (run_uuid) where key = 'kind' and value = 'run'"
        ).fetchone()[0]
    found = (len(rows), counts.get("cell"), counts.get("run"), unfinished)
    expected = (N_CELLS * seeds, N_CELLS, N_CELLS * seeds, 0)
    if found != expected:
        raise SystemExit(f"error: rows, cell runs, seed runs and unfinished runs are {found}, not {expected}.")
    return {
        "seconds": finished.seconds,
        "cpu_seconds": finished.cpu_seconds,
        "start_up": first / 1000 - finished.started,
        "peak_bytes": finished.peak_bytes,
        "phases": phases(finished.output),
        "rows": len(rows),
        "cell_runs": counts["cell"],
        "seed_runs": counts["run"],
    }


def phases(output: str) -> dict[str, float]:
    """Return the seconds of each part of a sweep, as its last lines say."""
    said = re.search(r"^took [\d.]+ s: (.+?)(?=^\S)", output, re.MULTILINE | re.DOTALL)
    parts = [part.split() for part in " ".join(said[1].split()).split(", ")] if said else []
    return {" ".join(words[:-2]): float(words[-2]) for words in parts}


def answers(repeats: int) -> dict[str, float]:
    """Return the seconds to the help and to an error in the arguments."""
    with tempfile.TemporaryDirectory() as folder:
        return {
            "help": median(run(lossbench("--help"), folder).seconds for _ in range(repeats)),
            "error": median(run(lossbench("loss=hubber"), folder, expect=2).seconds for _ in range(repeats)),
        }


# ---- (d): the training alone.


def against_c(repeats: int) -> dict[str, Any]:
    compiler = os.environ.get("CC", "cc")
    if shutil.which(compiler) is None:
        return {"skipped": f"there is no C compiler ({compiler})"}
    if not hasattr(os, "sched_setaffinity"):
        return {"skipped": f"{platform.system()} cannot bind a process to one core"}
    with tempfile.TemporaryDirectory() as folder, one_core():
        return last_json(run([*script("one_core.py"), str(repeats)], folder).output)


@contextmanager
def one_core() -> Iterator[None]:
    """Bind this process to one core, and so what it starts."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


# ---- (e): studies.


def against_keras_tuner(n_losses: int) -> dict[str, Any]:
    """Run all nine studies with lossbench and, of each data set, a sample of trainings with KerasTuner, scaled."""
    if importlib.util.find_spec("keras_tuner") is None:
        return {"skipped": "there is no KerasTuner (pip install keras-tuner)"}
    n_trainings = N_CELLS * N_RATES * N_FOLDS
    with tempfile.TemporaryDirectory() as folder:
        ours = run(lossbench("-m", "experiment=tutorial", "tune=learning_rate", "seeds=1"), folder)
        trials = [json.loads(file.read_text()) for file in Path(folder).glob("multirun/*/*/study/trial=*.json")]
        trained = sum(len(trial["values"]) for trial in trials)
    if trained != n_trainings:
        raise SystemExit(f"error: the studies hold {trained} trainings, not {n_trainings}.")
    with tempfile.TemporaryDirectory() as folder:
        chosen = [f"{dataset}/{loss}" for dataset, losses in LOSSES.items() for loss in losses[:n_losses]]
        theirs = run([*script("keras_tuner_study.py"), *chosen], folder)
    studies = last_json(theirs.output)["studies"]
    in_all = {name: sum(study[name] * study["trainings"] for study in studies) for name in ("seconds", "cpu_seconds")}

    def scaled_to_nine(name: str) -> float:
        """Every data set's three studies cost what its sampled trainings did on average."""
        each = n_trainings / len(LOSSES)
        return sum(each * mean(s[name] for s in studies if s["dataset"] == dataset) for dataset in LOSSES)

    return {
        "n_trainings": n_trainings,
        "ours": {"seconds": ours.seconds, "cpu_seconds": ours.cpu_seconds},
        "keras_tuner": {
            "studies": studies,
            "start_up": theirs.seconds - in_all["seconds"],
            "seconds": scaled_to_nine("seconds") + theirs.seconds - in_all["seconds"],
            "cpu_seconds": scaled_to_nine("cpu_seconds") + theirs.cpu_seconds - in_all["cpu_seconds"],
        },
    }


MEASURE = {"a": job_by_job, "b": plain_loop, "c": sweeps}
SUMMARY = {"a": jobs_summary, "b": loop_summary, "c": sweeps_summary}


# ---- (f), (g) and (h): scripts of their own.

SCRIPTS: dict[str, tuple[str, list[str], list[str]]] = {
    "f": ("large.py", ["--quick"], []),
    "g": ("growth.py", ["--quick"], []),
    "h": ("other_libraries.py", ["3"], ["10"]),
}


def of_script(file: str, *arguments: str, bound: bool) -> dict[str, Any]:
    """Return what a script prints as JSON; bound to one core if asked and if the system can."""
    one = one_core() if bound and hasattr(os, "sched_setaffinity") else nullcontext()
    with tempfile.TemporaryDirectory() as folder, one:
        return last_json(run([*script(file), *arguments], folder).output)


def save(results: dict[str, Any], text: str) -> None:
    folder = HERE / "results"
    folder.mkdir(exist_ok=True)
    (folder / "latest.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / "latest.txt").write_text(text + "\n")
    print("\nwritten to benchmarks/results/latest.json and latest.txt")


if __name__ == "__main__":
    main()
