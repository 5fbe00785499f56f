"""What a login node pays for: the light half imports nothing heavy."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

JOBS = Path(__file__).parent.parent.parent / "jobs"
HEAVY = {"torch", "torchvision", "accelerate", "mlflow", "submitit", "sklearn", "matplotlib"} | {
    "torchmetrics",
    "torch_geometric",
    "pandas",
    "pyarrow",
    "h5py",
}
PROGRAM = """
import json, sys
from hpc_dl.cli import main
code = main(sys.argv[2:])
open(sys.argv[1], "w").write(json.dumps([code, sorted(sys.modules)]))
"""


def modules_of(tmp_path: Path, *words: str) -> tuple[int, set[str]]:
    """The exit code of `hpcdl WORDS` and what it has imported."""
    report = tmp_path / "modules.json"
    environment = os.environ | {"HPCDL_RUN_ROOT": str(tmp_path / "runs"), "HPCDL_SITE": "generic"}
    subprocess.run(
        [sys.executable, "-c", PROGRAM, str(report), *words],
        env=environment,
        check=True,
        capture_output=True,
    )
    code, modules = json.loads(report.read_text())
    return code, set(modules)


@pytest.mark.parametrize(
    "words",
    [
        ["--help"],
        ["--version"],
        ["submit", "--help"],
        ["submit", str(JOBS / "vae.yaml"), "--dry-run=plan"],
        ["submit", str(JOBS / "vae.yaml"), "--dry-run=plan", "--local"],
        ["submit", str(JOBS / "vae.yaml"), "--dry-run=script"],
        ["status"],
        ["report", "--help"],
        ["compare", "--help"],
        ["plot", "--help"],
        ["rm", "--help"],
        ["models"],
        ["models", "vae"],
        ["data", "show", "csv"],
        ["init", "vae"],
        ["doctor"],
        ["verify", "--list"],
        ["predict", "--help"],
        ["generate", "--help"],
        ["export", "--help"],
        ["evaluate", "--help"],
        ["clean", "--help"],
        ["register", "--help"],
    ],
    ids=lambda words: " ".join(Path(word).name for word in words),
)
def test_imports_nothing_heavy(tmp_path: Path, words: list[str]) -> None:
    code, modules = modules_of(tmp_path, *words)
    assert code == 0
    assert "hpc_dl.cli" in modules
    assert not modules & HEAVY


def test_a_plan_defines_the_options_that_the_spec_names_and_no_others(tmp_path: Path) -> None:
    _, modules = modules_of(tmp_path, "submit", str(JOBS / "vae.yaml"), "--dry-run=plan")
    folders = ("hpc_dl.jobspec.architectures.", "hpc_dl.jobspec.sources.")
    defined = {name for name in modules if name.startswith(folders)} - {f"{folders[1]}user"}
    assert defined == {f"{folders[0]}vae", f"{folders[1]}digits"}


def test_the_help_imports_no_command_and_no_library(tmp_path: Path) -> None:
    _, modules = modules_of(tmp_path, "--help")
    ours = {name for name in modules if name.startswith("hpc_dl")}
    assert ours == {"hpc_dl", "hpc_dl.cli", "hpc_dl.errors"}
    assert not modules & {"rich", "pydantic", "yaml"}


@pytest.mark.parametrize(
    "words", [["status"], ["submit", str(JOBS / "vae.yaml"), "--dry-run=plan"]]
)
def test_what_sends_nothing_imports_no_http(tmp_path: Path, words: list[str]) -> None:
    _, modules = modules_of(tmp_path, *words)
    assert "hpc_dl.tracking.webhook" in modules
    assert not modules & {"http.client", "urllib.request", "ssl"}


@pytest.mark.parametrize("module", ["status", "logs", "live", "cancel", "sweep", "sweeps.status"])
def test_what_looks_at_runs_imports_no_job_spec(module: str) -> None:
    program = f"import hpc_dl.cli.{module}, sys; print(*sys.modules)"
    modules = subprocess.check_output([sys.executable, "-c", program], text=True).split()
    assert "hpc_dl.jobspec.job" not in modules


def test_the_tracking_process_beside_a_training_imports_no_job_spec() -> None:
    program = "import hpc_dl.tracking.sync_worker, sys; print(*sys.modules)"
    modules = subprocess.check_output([sys.executable, "-c", program], text=True).split()
    assert "hpc_dl.tracking.sync" in modules
    assert "hpc_dl.jobspec.job" not in modules
