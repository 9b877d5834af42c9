"""A team's server: MLflow on PostgreSQL, and six sweeps at once that write to it, by two accounts."""

import secrets

import pytest
from mlflow import MlflowClient
from sqlalchemy import create_engine, text
from support.commands import run
from support.postgres import PACKAGE, binaries, postgres
from support.processes import start
from support.results import sweep
from support.servers import create_account, mlflow_server

from lossbench.tracking.experiment import Experiment

N_SWEEPS, N_CELLS, SEEDS = 6, 2, 3
ACCOUNTS = ["anna", "ben"]
SWEEP = ["-m", "dataset=circles", "loss=bce,hinge", "epochs=5", f"seeds={SEEDS}", "report.yardsticks=false"]
KEYS_OF_RUNS = """
SELECT e.name, k.value FROM tags k JOIN runs r USING (run_uuid) JOIN experiments e USING (experiment_id)
WHERE k.key = 'run_key'
"""


def account(name: str, password: str) -> dict[str, str]:
    return {"MLFLOW_TRACKING_USERNAME": name, "MLFLOW_TRACKING_PASSWORD": password}


@pytest.mark.slow
@pytest.mark.skipif(binaries() is None, reason=f"apt-get install {PACKAGE}")
def test_exactly_the_planned_runs_of_six_sweeps_at_once_arrive_from_two_accounts(tmp_path):
    served = tmp_path / "served"
    served.mkdir()
    # MLflow wants twelve characters.
    passwords = {name: secrets.token_hex(8) for name in ["admin", *ACCOUNTS]}
    with postgres() as address, mlflow_server(served, address, passwords["admin"]) as port:
        server = f"http://127.0.0.1:{port}"
        for name in ACCOUNTS:
            create_account(port, passwords["admin"], name, passwords[name])
        homes = [tmp_path / f"sweep-{number}" for number in range(N_SWEEPS)]
        owners = {home: ACCOUNTS[number % len(ACCOUNTS)] for number, home in enumerate(homes)}
        for home in homes:
            home.mkdir()
        # Each in a folder of its own, as on six machines.
        sweeps = [
            start(
                home,
                *SWEEP,
                f"name=of-{home.name}",
                MLFLOW_TRACKING_URI=server,
                **account(owners[home], passwords[owners[home]]),
            )
            for home in homes
        ]
        for process in sweeps:
            said = process.communicate(timeout=300)[0]
            assert process.returncode == 0, said
            assert "MLflow could not be written" not in said
            assert not [secret for secret in passwords.values() if secret in said]
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        for name, password, said in [
            ("anna", "wrong", "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD"),
            ("ben", passwords["ben"], "this account probably may not write the experiment of this name"),
        ]:
            # The name is of a sweep of anna's.
            words = [*SWEEP, f"name=of-{homes[0].name}"]
            refused = run(elsewhere, *words, MLFLOW_TRACKING_URI=server, **account(name, password))
            assert (refused.status, "nothing is lost; " + said in refused.out) == (0, True), refused.out
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
    written = [path for home in homes for path in home.rglob("*") if path.is_file()]
    assert [path for path in written if any(word.encode() in path.read_bytes() for word in passwords.values())] == []


def test_an_experiment_that_another_sweep_makes_at_the_same_moment_is_taken(tmp_path, monkeypatch):
    monkeypatch.setenv("LOSSBENCH_HOME", str(tmp_path))
    uri, plan = f"sqlite:///{tmp_path}/mlflow.db", sweep()
    first = Experiment(plan, "team", uri)
    found, answers = MlflowClient.get_experiment_by_name, iter([None])
    # The question is asked a moment before the other makes it.
    monkeypatch.setattr(MlflowClient, "get_experiment_by_name", lambda *a: next(answers, found(*a)))
    assert Experiment(plan, "team", uri).experiment_id == first.experiment_id
