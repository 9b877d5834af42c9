"""A secret in the address of an MLflow server is nowhere but in the environment: no file and no stream has it."""

from pathlib import Path

import pytest
from support.commands import Done, run
from support.servers import free_port, mlflow_server

from lossbench.ground.secrets import without_secrets

SMALL = ("dataset=circles", "loss=bce", "seeds=2", "epochs=2", "name=small")
SECRETS = ("Zq7-plain", "Zq7%2Fcoded", "Zq7/coded", "Zq7-token", "zq7-user")


def leaks(folder: Path, *done: Done) -> list[str]:
    """Return where a secret stands: names of files, contents of files, streams."""
    found = [f"{stream}: {text}" for each in done for stream, text in (("out", each.out), ("err", each.err))]
    found = [text for text in found if any(secret in text for secret in SECRETS)]
    for path in folder.rglob("*"):
        data = str(path).encode() + (path.read_bytes() if path.is_file() else b"")
        found += [f"{path}: {secret}" for secret in SECRETS if secret.encode() in data]
    return found


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("http://user:word@host:5000", "http://host:5000"),
        ("at http://user:w%40rd@host/a?token=x&y=1#z, no", "at http://host/a no"),
        ("https://word@host", "https://host"),
        ("postgresql+psycopg2://me:word@db:5432/mlflow?sslmode=x", "postgresql+psycopg2://db:5432/mlflow"),
        ("sqlite:////home/me@work/a?b.db", "sqlite:////home/me@work/a?b.db"),
        ("file:///home/me@work", "file:///home/me@work"),
        ("write to me@work.org, or 3 @ 4", "write to me@work.org, or 3 @ 4"),
    ],
)
def test_addresses_lose_user_password_and_query(text, kept):
    assert without_secrets(text) == kept


@pytest.mark.parametrize(
    ("given", "login"),
    [
        pytest.param("setting", "zq7-user:Zq7-plain@", id="setting"),
        pytest.param("environment", "zq7-user:Zq7%2Fcoded@", id="environment", marks=pytest.mark.slow),
        pytest.param("environment", "", id="token", marks=pytest.mark.slow),
    ],
)
def test_no_file_and_no_stream_has_the_secret_while_the_server_is_away(tmp_path, given, login):
    address = f"http://{login}127.0.0.1:{free_port()}{'' if login else '?token=Zq7-token'}"
    words, more = ([f"tracking.uri={address}"], {}) if given == "setting" else ([], {"MLFLOW_TRACKING_URI": address})
    swept = run(tmp_path, *SMALL, *words, **more)
    assert swept.status == 0
    assert "MLflow could not be written" in swept.out
    synced = run(tmp_path, "small", command="lossbench-sync", **more)
    assert synced.status == 3
    mistaken = run(tmp_path, *SMALL, f"tracking.ur={address}", f"loss={address}")
    assert mistaken.status == 2
    reported = run(tmp_path, "small", command="lossbench-report")
    assert reported.status == 0
    shown = run(tmp_path, *SMALL, f"tracking.uri={address}", "--cfg", "job")
    assert shown.status == 0
    assert leaks(tmp_path, swept, synced, mistaken, reported, shown) == []
    assert (tmp_path / "multirun" / "small" / "tracking.log").stat().st_size


def test_no_file_and_no_stream_has_the_secret_with_a_real_server(tmp_path):
    served, home = tmp_path / "served", tmp_path / "home"
    served.mkdir()
    home.mkdir()
    with mlflow_server(served) as port:
        address = f"http://zq7-user:Zq7-plain@127.0.0.1:{port}"
        swept = run(home, *SMALL, f"tracking.uri={address}")
        assert swept.status == 0
        assert "MLflow could not be written" not in swept.out
        # Without the secret the plan has the server's address, which this server takes too.
        synced = run(home, "small", command="lossbench-sync")
        assert "small: MLflow has everything" in synced.out
        seen = run(home, command="lossbench-ui", MLFLOW_TRACKING_URI=address)
        assert "small:" in seen.out
        assert f"http://127.0.0.1:{port}/#/experiments/" in seen.out
    assert leaks(tmp_path, swept, synced, seen) == []
