"""What a job pays for before its first step, and until its end."""

import subprocess
import sys
from importlib import metadata

from hpc_dl.train.environment import packages
from tests.support.running import events, new_run

UNUSED = (
    *("torch._dynamo", "torch._inductor", "torchvision", "torchmetrics", "torch_geometric"),
    *("scipy", "sympy", "sklearn", "pandas", "mlflow"),
)
"""Each takes from a tenth of a second to as long as torch itself."""
PROGRAM = """
import sys
from pathlib import Path
from hpc_dl.run.layout import RunDir
from hpc_dl.run.rank_info import RankInfo
from hpc_dl.train import main
print(main.run(RunDir(Path(sys.argv[1])), RankInfo(0, 1, 0, 1, "1.0", "1", 0), print))
print(*(name for name in sys.argv[2:] if name in sys.modules))
"""


def test_the_packages_of_a_run_are_those_that_are_installed():
    found = packages()
    assert list(found) == sorted(found)
    assert {name: metadata.version(name) for name in found} == found


def test_a_training_imports_only_what_it_uses(tmp_path):
    run = new_run(tmp_path)
    command = [sys.executable, "-c", PROGRAM, str(run.path), *UNUSED]
    found = subprocess.run(command, check=True, capture_output=True, text=True)
    assert found.stdout.split() == ["completed"]
    values = [it["values"] for it in events(run, "metrics")]
    assert any("val/auroc_macro" in it for it in values), "it was evaluated"
    assert (run.artifacts / "confusion").exists(), "and drawn"
