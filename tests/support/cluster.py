"""The private Slurm for tests: the one that SLURM_CONF names, or else one for this session.

A test that needs Slurm takes the fixture `cluster` and gives `cluster.env` to what it starts. No
other test sees a Slurm: SLURM_CONF is taken out of the environment. HPCDL_CLUSTER_RELEASE chooses
the Debian release whose Slurm it is; `-m every_release` the tests that are worth it on each.
"""

import fcntl
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "slurm" / "cluster"
FOLDER = "HPCDL_TEST_CLUSTER"
"""The variable that tells xdist's workers the state folder of the session's cluster."""
RELEASE = "HPCDL_CLUSTER_RELEASE"
OWN = pytest.StashKey[Path]()


@dataclass(frozen=True)
class Cluster:
    """A private Slurm, by its state folder."""

    folder: Path

    @property
    def env(self) -> dict[str, str]:
        """Return this process's environment, with Slurm's commands using this cluster."""
        conf = str(self.folder / "etc" / "slurm.conf")
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        names = {"SLURM_CONF": conf, "HPCDL_CLUSTER_DIR": str(self.folder), "PATH": path}
        return {**os.environ, **names}

    @property
    def release(self) -> str:
        """Return the Debian release whose Slurm runs here."""
        return (self.folder / "etc" / "release").read_text().strip()

    def script(self, *words: str) -> subprocess.CompletedProcess[str]:
        """`slurm/cluster WORDS`; returns the exit code, whatever it is."""
        command = [str(SCRIPT), *words]
        return subprocess.run(
            command, env=self.env, capture_output=True, text=True, timeout=180, check=False
        )

    def run(self, *command: str, timeout: float = 30) -> str:
        """Return what a Slurm command prints; AssertionError, with its message, if it fails."""
        done = subprocess.run(
            command, env=self.env, capture_output=True, text=True, timeout=timeout, check=False
        )
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout.strip()

    def haste(self, job: int | str) -> None:
        """Wait until the job is requeued (at most 60 s), and let it start at once."""
        self._must("haste", str(job))

    def kill_node(self, node: str) -> None:
        """Kill a node like a power cut; only one that a test has alone, see `fragile_nodes`."""
        self._must("kill-node", node)

    def start_node(self, node: str) -> None:
        """Start a killed node, and wait until it is idle."""
        self._must("start-node", node)

    def _must(self, *words: str) -> None:
        done = self.script(*words)
        assert done.returncode == 0, done.stderr

    @contextmanager
    def alone(self, *nodes: str, partitions: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        """Reserve nodes for one test at a time; afterwards they are idle, their jobs cancelled."""
        with (self.folder / f"alone-{nodes[0]}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            try:
                yield nodes
            finally:
                for partition in partitions:
                    self.run("scancel", "--partition", partition)
                for node in nodes:
                    self.start_node(node)


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """Start a Slurm, or use the one that is up. Skips where none can; fails there if CI=true."""
    cluster = Cluster(Path(os.environ[FOLDER]))
    if cluster.script("status").returncode != 0:
        started = cluster.script("start")  # one at a time; the others then find it up
        if started.returncode == 3 and os.environ.get("CI") != "true":
            pytest.skip(started.stderr)
        assert started.returncode == 0, started.stderr
    return cluster


@pytest.fixture
def another(cluster: Cluster) -> Iterator[Cluster]:
    """A second cluster, beside the session's; the test starts it, this stops it."""
    if os.geteuid() != 0:
        pytest.skip("only root can start a cluster")
    other = Cluster(cluster.folder.with_name(f"hpcdl-slurm-other-{os.getpid()}"))
    yield other
    assert other.script("stop").returncode == 0


@pytest.fixture
def fragile_nodes(cluster: Cluster) -> Iterator[tuple[str, ...]]:
    """n5 and n6, the nodes of partition `fragile`: for this test to kill."""
    with cluster.alone("n5", "n6", partitions=("fragile",)) as nodes:
        yield nodes


@pytest.fixture
def preemption_nodes(cluster: Cluster) -> Iterator[tuple[str, ...]]:
    """n7 and n8, the nodes of partitions `low` and `high`: here jobs pre-empt only this test's."""
    with cluster.alone("n7", "n8", partitions=("low", "high")) as nodes:
        yield nodes


def pytest_configure(config: pytest.Config) -> None:
    """Choose the cluster once, before xdist's workers start and inherit the environment."""
    if hasattr(config, "workerinput"):
        return
    given = os.environ.pop("SLURM_CONF", None)
    if given and is_wanted(Cluster(Path(given).parent.parent)):
        cluster = Cluster(Path(given).parent.parent)
        os.environ[RELEASE] = cluster.release  # of further ones, too
    else:
        cluster = Cluster(Path(tempfile.gettempdir()) / f"hpcdl-slurm-test-{os.getpid()}")
        config.stash[OWN] = cluster.folder
    os.environ[FOLDER] = str(cluster.folder)
    os.environ["PATH"] = cluster.env["PATH"]


def is_wanted(cluster: Cluster) -> bool:
    """Return whether a cluster is up, with Slurm of the wanted release."""
    up = cluster.script("status").returncode == 0
    return up and os.environ.get(RELEASE, cluster.release) == cluster.release


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the session's own cluster, after the last worker has ended."""
    own = config.stash.get(OWN, None)
    if own is not None and own.exists():
        stopped = Cluster(own).script("stop")
        assert stopped.returncode == 0, stopped.stderr
