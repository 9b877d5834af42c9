"""A team's server: MLflow on PostgreSQL, and six sweeps at once that write to it."""

import pytest
from mlflow import MlflowClient
from sqlalchemy import create_engine, text
from support.postgres import PACKAGE, binaries, postgres
from support.processes import start
from support.results import sweep
from support.servers import mlflow_server

from lossbench.tracking.experiment import Experiment

N_SWEEPS, N_CELLS, SEEDS = 6, 2, 3
SWEEP = ["-m", "dataset=circles", "loss=bce,hinge", "epochs=5", f"seeds={SEEDS}", "report.yardsticks=false"]
KEYS_OF_RUNS = """
SELECT e.name, k.value FROM tags k JOIN runs r USING (run_uuid) JOIN experiments e USING (experiment_id)
WHERE k.key = 'run_key'
"""


@pytest.mark.slow
@pytest.mark.skipif(binaries() is None, reason=f"apt-get install {PACKAGE}")
def test_exactly_the_planned_runs_of_six_sweeps_at_once_arrive(tmp_path):
    served = tmp_path / "served"
    served.mkdir()
    with postgres() as address, mlflow_server(served, address) as port:
        server = {"MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}"}
        homes = [tmp_path / f"user-{number}" for number in range(N_SWEEPS)]
        for home in homes:
            home.mkdir()
        # Each in a folder of its own, as on six machines.
        sweeps = [start(home, *SWEEP, f"name=of-{home.name}", **server) for home in homes]
        for process in sweeps:
            said = process.communicate(timeout=300)[0]
            assert process.returncode == 0, said
            assert "MLflow could not be written" not in said
        engine = create_engine(address)
        with engine.connect() as database:
            runs = database.execute(text("SELECT run_uuid, status, lifecycle_stage FROM runs")).fetchall()
            keys = database.execute(text(KEYS_OF_RUNS)).fetchall()
        engine.dispose()
    assert {tuple(run[1:]) for run in runs} == {("FINISHED", "active")}
    # A run for each seed of each cell; the sweeps have the same cells, each in an experiment of its own.
    assert len(keys) == len(set(keys)) == N_SWEEPS * N_CELLS * SEEDS
    # Besides them the sweep's own and one for each cell.
    assert len(runs) == N_SWEEPS * (1 + N_CELLS + N_CELLS * SEEDS)


def test_an_experiment_that_another_sweep_makes_at_the_same_moment_is_taken(tmp_path, monkeypatch):
    monkeypatch.setenv("LOSSBENCH_HOME", str(tmp_path))
    uri, plan = f"sqlite:///{tmp_path}/mlflow.db", sweep()
    first = Experiment(plan, "team", uri)
    found, answers = MlflowClient.get_experiment_by_name, iter([None])
    # The question is asked a moment before the other makes it.
    monkeypatch.setattr(MlflowClient, "get_experiment_by_name", lambda *a: next(answers, found(*a)))
    assert Experiment(plan, "team", uri).experiment_id == first.experiment_id
