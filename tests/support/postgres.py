"""A real PostgreSQL on this machine alone, in a folder of its own."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.servers import free_port

PACKAGE = "postgresql"
USER, DATABASE = "postgres", "mlflow"


def binaries() -> Path | None:
    """Return the folder of PostgreSQL's programs, which Debian keeps out of the path; None if it is not installed."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    on_path = shutil.which("initdb")
    return next(iter(folders), Path(on_path).resolve().parent if on_path else None)


@contextmanager
def postgres() -> Iterator[str]:
    """Run a server with an empty database while the block runs; yield the database's address."""
    where = binaries()
    assert where is not None, f"apt-get install {PACKAGE}"
    with tempfile.TemporaryDirectory(prefix="lossbench-postgres-") as name:
        data, port = Path(name) / "data", free_port()
        if os.geteuid() == 0:
            # It refuses to run as root.
            account = pwd.getpwnam(USER)
            os.chown(name, account.pw_uid, account.pw_gid)
        _run(where / "initdb", f"--pgdata={data}", f"--username={USER}", "--auth=trust", "--no-sync")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={name} -c fsync=off"
        control = [where / "pg_ctl", f"--pgdata={data}", "--wait"]
        _run(*control, f"--log={name}/log", f"--options={options}", "start")
        try:
            _run(where / "createdb", "--host=127.0.0.1", f"--port={port}", f"--username={USER}", DATABASE)
            yield f"postgresql+psycopg2://{USER}@127.0.0.1:{port}/{DATABASE}"
        finally:
            _run(*control, "--mode=immediate", "stop")


def _run(*command: object) -> None:
    other = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--init-groups"] if os.geteuid() == 0 else []
    done = subprocess.run([*other, *map(str, command)], cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
