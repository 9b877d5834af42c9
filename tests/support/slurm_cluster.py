"""A real Slurm on this machine alone: its five daemons on loopback, in a folder of their own, without systemd.

``python tests/support/slurm_cluster.py`` starts one and says how to use it, until Ctrl-C; with ``--check`` it only says
what is missing. It needs root, and Debian's ``slurm-wlm slurmdbd mariadb-server munge``.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

PACKAGES = "slurm-wlm slurmdbd mariadb-server munge"
PROGRAMS = ("slurmctld", "slurmd", "slurmdbd", "mariadbd", "munged")
# The node says that it has so many cores, however many the machine has, so that several jobs run at once.
N_CORES = 4
STARTS_IN = 60
SLURM = """
ClusterName=lossbench
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller_port}
SlurmdPort={node_port}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/linux
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=sched_interval=1,sched_min_interval=0,batch_sched_delay=0,defer_batch
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=5
OverTimeLimit=0
{accounting}
NodeName={host} NodeAddr=127.0.0.1 CPUs={n_cores} RealMemory=16000 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""
ACCOUNTING = """
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={accounting_port}
AccountingStoragePass={folder}/munge/socket
"""
DATABASE = """
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={accounting_port}
SlurmUser=root
PidFile={folder}/slurmdbd.pid
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={database_port}
StorageUser=root
StoragePass=none
StorageLoc=slurm_acct_db
"""


class NoClusterError(Exception):
    """The cluster cannot be started; the message has what its daemons said last."""


@dataclass(frozen=True)
class Cluster:
    """A running cluster.

    Attributes
    ----------
    environment : dict
        What Slurm's commands need in their environment.
    """

    folder: Path
    environment: dict[str, str]

    def said(self, *command: str) -> str:
        """Return what one of Slurm's commands prints."""
        environment = {**os.environ, **self.environment}
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60).stdout


def lacking() -> str:
    """Return why no cluster can be started here, and what to do; '' if it can."""
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    missing = [program for program in PROGRAMS if shutil.which(program, path=path) is None]
    if missing:
        return f"{', '.join(missing)} not found: apt-get install --no-install-recommends {PACKAGES}"
    return "" if os.geteuid() == 0 else "Slurm's daemons are started by root only"


@contextmanager
def slurm_cluster(*, accounting: bool = True) -> Iterator[Cluster]:
    """Run a cluster of one node while the block runs.

    Parameters
    ----------
    accounting : bool
        Whether it records jobs, so that ``sacct`` answers.
    """
    with (
        tempfile.TemporaryDirectory(prefix="lossbench-slurm-", ignore_cleanup_errors=True) as name,
        ExitStack() as ends,
    ):
        folder = Path(name)
        folder.chmod(0o755)
        _configure(folder, accounting=accounting)
        cluster = Cluster(folder, {"SLURM_CONF": str(folder / "slurm.conf")})
        for daemon in ("munge", "database", "state", "spool"):
            (folder / daemon).mkdir(mode=0o755)
        _start_munge(ends, cluster)
        if accounting:
            _start_accounting(ends, cluster)
        _start(ends, cluster, "slurmctld", "-D", "-i")
        _wait(cluster, "slurmctld", lambda: "UP" in cluster.said("scontrol", "ping"))
        _start(ends, cluster, "slurmd", "-D", "-N", socket.gethostname())
        _wait(cluster, "slurmd", lambda: "idle" in cluster.said("sinfo", "-h", "-o", "%t"))
        yield cluster
        _end_jobs(cluster)


def _configure(folder: Path, *, accounting: bool) -> None:
    names = ("controller_port", "node_port", "accounting_port", "database_port")
    values = dict(zip(names, _free_ports(len(names)), strict=True))
    values |= {"folder": folder, "host": socket.gethostname(), "n_cores": N_CORES}
    values["accounting"] = ACCOUNTING.format(**values) if accounting else ""
    (folder / "slurm.conf").write_text(SLURM.format(**values))
    (folder / "slurmdbd.conf").write_text(DATABASE.format(**values))
    (folder / "slurmdbd.conf").chmod(0o600)
    (folder / "database.port").write_text(str(values["database_port"]))


def _free_ports(n_ports: int) -> list[int]:
    with ExitStack() as sockets:
        probes = [sockets.enter_context(socket.socket()) for _ in range(n_ports)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def _start_munge(ends: ExitStack, cluster: Cluster) -> None:
    own = cluster.folder / "munge"
    key = own / "key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o600)
    places = {"socket": "socket", "key-file": "key", "pid-file": "pid", "seed-file": "seed", "log-file": "log"}
    _start(ends, cluster, "munged", "--foreground", "--force", *(f"--{o}={own / name}" for o, name in places.items()))
    _wait(cluster, "munged", (own / "socket").exists)


def _start_accounting(ends: ExitStack, cluster: Cluster) -> None:
    data = cluster.folder / "database"
    port = (cluster.folder / "database.port").read_text()
    install = ["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal"]
    subprocess.run([*install, "--user=root", "--skip-test-db"], capture_output=True, check=True)
    options = ["--user=root", f"--port={port}", "--bind-address=127.0.0.1", f"--socket={data}/socket"]
    small = ["--innodb-buffer-pool-size=64M", "--innodb-lock-wait-timeout=900", "--skip-grant-tables"]
    _start(ends, cluster, "mariadbd", "--no-defaults", f"--datadir={data}", *options, *small)
    _wait(cluster, "mariadbd", lambda: _answers(int(port)))
    _start(ends, cluster, "slurmdbd", "-D")
    _wait(cluster, "slurmdbd", lambda: cluster.said("sacctmgr", "--noheader", "list", "cluster") is not None)
    cluster.said("sacctmgr", "--immediate", "add", "cluster", "lossbench")


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _start(ends: ExitStack, cluster: Cluster, program: str, *arguments: str) -> None:
    """Start a daemon in the foreground, and have it ended with the cluster."""
    environment = {**os.environ, **cluster.environment, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}
    with open(cluster.folder / f"{program}.log", "wb") as log:
        process = subprocess.Popen(
            # They end with this process even if it is killed.
            ["setpriv", "--pdeathsig", "KILL", program, *arguments],
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    ends.callback(_end, process)


def _end(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait(cluster: Cluster, program: str, answers: Callable[[], object]) -> None:
    deadline = time.monotonic() + STARTS_IN
    while True:
        try:
            if answers():
                return
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
            pass
        if time.monotonic() > deadline:
            said = (cluster.folder / f"{program}.log").read_text(errors="replace").splitlines()[-10:]
            raise NoClusterError(f"{program} does not answer; it said last:\n" + "\n".join(said))
        time.sleep(0.2)


def _end_jobs(cluster: Cluster) -> None:
    """Cancel what still runs, so that no process of a job outlives the cluster."""
    cluster.said("scancel", "--full", "--user=root")
    _wait(cluster, "slurmctld", lambda: not cluster.said("squeue", "-h").strip())


if __name__ == "__main__":
    if reason := lacking():
        raise SystemExit(f"error: {reason}")
    if "--check" in sys.argv:
        raise SystemExit
    with slurm_cluster() as running:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
        print("\n".join(f"export {name}={value}" for name, value in running.environment.items()), flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
