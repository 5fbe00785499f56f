"""`hpcdl submit --dry-run=plan` and `--dry-run=script`: what is shown, and that nothing is left."""

import itertools
import json
import os
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from hpc_dl.cli import job_request, main
from hpc_dl.errors import UserError
from hpc_dl.jobspec.architectures.torchvision import Torchvision
from hpc_dl.run import journal
from hpc_dl.run.layout import RunDir
from hpc_dl.run.submission import Submission
from hpc_dl.scheduler import registry
from tests.support.running import new_run
from tests.support.typed import QUICK, job_file, use_settings

Capture = pytest.CaptureFixture[str]
JOBS = Path(__file__).parent.parent.parent / "jobs"


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of all runs, which is not there yet."""
    use_settings(monkeypatch, tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return tmp_path / "runs"


def shown(capsys: Capture, *words: str) -> str:
    """What `hpcdl submit WORDS` prints."""
    code = main(["submit", *words])
    said = capsys.readouterr()
    assert code == 0, said.err
    return said.out


def plan_of(capsys: Capture, *words: str) -> dict[str, Any]:
    """The plan as programs get it."""
    found: dict[str, Any] = json.loads(shown(capsys, *words, "--dry-run=plan", "--json"))
    return found


def test_the_plan_shows_ranks_batches_steps_and_time(capsys: Capture, root: Path) -> None:
    said = shown(capsys, str(JOBS / "vae.yaml"), "--dry-run=plan", "--local")
    for words in (
        "vae-digits-1, a new run",
        "1437 training examples, 180 validation, 180 test; image 1 x 8 x 8, 10 classes",
        "1 node x 1 task = world size 1; no GPU",
        "128 global, 128 per rank, 128 micro",
        "334 epochs, 12 steps per epoch, 4000 steps in all",
        f"sqlite:///{root}/mlflow.db, experiment vae",
        str(root / "vae-digits-1"),
        "#SBATCH --time=00:30:00",
    ):
        assert words in said


def lines_of(said: str, row: str) -> list[str]:
    """The lines of a row of the plan, without its name."""
    lines = said.splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith(row))
    rest = itertools.takewhile(lambda line: line.startswith(" "), lines[first + 1 :])
    return [line[len("run folder  ") + 1 :].rstrip() for line in (lines[first], *rest)]


def test_the_plan_counts_the_classes_in_their_order(capsys: Capture, tmp_path: Path) -> None:
    for name, count in (("10", 20), ("2\n", 2), ("猫", 12)):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(count):
            Image.new("L", (8, 8), 200).save(tmp_path / "pictures" / name / f"{number}.png")
    data = f"data: {{name: image_folder, root: {tmp_path}/pictures, validation: 0.2}}"
    job = job_file(tmp_path, f"name: x\nmodel: {{name: cnn}}\ntrain: {{steps: 1}}\n{data}")
    said = shown(capsys, job, "--dry-run=plan", "--local")
    assert lines_of(said, "classes") == [
        "class  train  validation  test",
        "10        14           4     2",
        "2\\n        2           0     0",
        "猫         8           3     1",
    ]
    assert "validation and test have no example of '2\\n' (2 in all)" in said
    assert "drawn with split_seed 0; each class in proportion" in said
    plan = plan_of(capsys, job, "--local")["plan"]
    assert plan["data_bytes"] == 34 * 3 * 64 * 64
    assert plan["facts"]["class_counts"] == {
        "train": [14, 2, 8],
        "validation": [4, 0, 3],
        "test": [2, 0, 1],
    }


def test_of_many_classes_the_first_are_listed_and_the_rarest_named(
    capsys: Capture, tmp_path: Path
) -> None:
    labels = [f"class {number:02}" for number in range(30) for _ in range(33 - number)]
    rows = "".join(f"{number % 7},{label}\n" for number, label in enumerate(labels))
    (tmp_path / "t.csv").write_text(f"x,y\n{rows}")
    data = f"data: {{name: csv, path: {tmp_path}/t.csv, target: y}}"
    job = job_file(tmp_path, f"name: x\nmodel: {{name: ffnn}}\ntrain: {{steps: 1}}\n{data}")
    shown_lines = lines_of(shown(capsys, job, "--dry-run=plan", "--local"), "classes")
    assert len(shown_lines) == 22
    assert shown_lines[20].startswith("class 19 ")
    assert shown_lines[21].startswith("and 10 more; the fewest to train on: 'class 27' 4, ")


def test_a_class_of_nearly_all_examples_is_noted_with_the_accuracy_to_beat(
    capsys: Capture, tmp_path: Path
) -> None:
    rows = "".join(f"{number},{'yes' if number % 20 else 'no'}\n" for number in range(200))
    (tmp_path / "t.csv").write_text(f"x,y\n{rows}")
    data = f"data: {{name: csv, path: {tmp_path}/t.csv, target: y}}"
    job = job_file(tmp_path, f"name: x\nmodel: {{name: ffnn}}\ntrain: {{steps: 1}}\n{data}")
    said = shown(capsys, job, "--dry-run=plan", "--local")
    assert "95.0% of the examples are of class 'yes': an accuracy of 0.950 is reached" in said
    assert "resident: all examples in memory, about 800 B" in said


def test_the_plan_says_why_numbers_to_predict_are_not_stratified(
    capsys: Capture, tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text("x,y\n" + "".join(f"{n},{n * n}\n" for n in range(50)))
    data = f"data: {{name: csv, path: {tmp_path}/t.csv, target: y, task: regress}}"
    job = job_file(tmp_path, f"name: x\nmodel: {{name: ffnn}}\ntrain: {{steps: 1}}\n{data}")
    said = shown(capsys, job, "--dry-run=plan", "--local")
    assert "drawn with split_seed 0; not stratified, as there are no classes" in said


def test_the_plan_leaves_nothing_behind(capsys: Capture, root: Path, tmp_path: Path) -> None:
    file = job_file(tmp_path)
    for mode in ("plan", "script"):
        shown(capsys, file, f"--dry-run={mode}")
    assert [path.name for path in tmp_path.iterdir()] == ["job.yaml"]


def test_the_plan_as_json_has_every_number(capsys: Capture, root: Path, tmp_path: Path) -> None:
    found = plan_of(
        capsys,
        job_file(tmp_path),
        "--local",
        "resources.tasks_per_node=2",
        "train.micro_batch=20",
        "data.batch_size=100",
    )
    plan = found["plan"]
    numbers = ("world_size", "global_batch", "rank_batch", "micro_batch", "micro_batches")
    assert [plan[name] for name in numbers] == [2, 100, 50, 20, 3]
    assert (plan["steps_per_epoch"], plan["steps"], plan["facts"]["train"]) == (15, 30, 1437)
    assert plan["run_dir"] == str(root / "quick-1")
    assert found["script"].startswith("#!/bin/bash\n")


def test_the_plan_shows_where_the_data_are(capsys: Capture, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    for number in range(10):
        path = folder / "ab"[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(path)
    words = ["data.name=image_folder", f"data.root={folder}", "--dry-run=plan"]
    said = shown(capsys, job_file(tmp_path), *words)
    assert f"image 3 x 64 x 64, 2 classes; staged in {folder}" in said
    assert "resident: all examples in memory" in said
    streaming = ["data.loading=streaming", "data.workers=3"]
    said = shown(capsys, job_file(tmp_path), *words, *streaming)
    assert "streaming: read while training, by 3 processes of each rank" in said


def test_paths_are_relative_to_the_file_and_on_the_command_line_to_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside, here = tmp_path / "beside", tmp_path / "here"
    for folder in (beside, here):
        folder.mkdir()
        (folder / "w.pt").touch()
    file = beside / "job.yaml"
    file.write_text(
        "name: x\nmodel: {name: 'torchvision:resnet18', weights: w.pt}\n"
        "data: {name: digits}\ntrain: {epochs: 1}\n"
    )
    monkeypatch.chdir(here)

    def weights(*words: str) -> str | None:
        model = job_request.read(file, words, None).spec.model
        assert isinstance(model, Torchvision)
        return model.weights

    assert weights() == str(beside / "w.pt")
    assert weights("model.weights=w.pt") == str(here / "w.pt")
    assert weights("model={name: 'torchvision:resnet18', weights: w.pt}") == str(here / "w.pt")
    with pytest.raises(UserError, match=r"weights: ~nobody-here/w\.pt is no readable path"):
        weights("model.weights=~nobody-here/w.pt")
    with pytest.raises(UserError, match=r"weights: https://x\.org/w\.pt is an address, not a path"):
        weights("model.weights=https://x.org/w.pt")
    with pytest.raises(UserError, match=r"model\.weights: the path is empty"):
        weights("model.weights=''")


PARTS = ("model", "data", "data.augment", "train.loss", "train.optimizer", "train.schedule")


@pytest.mark.parametrize("part", PARTS)
def test_code_is_beside_the_file_and_on_the_command_line_in_the_current_folder(
    part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in ("jobs/f.py", "jobs/only.py", "f.py", "lib/g.py"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    file = Path(job_file(tmp_path / "jobs"))
    monkeypatch.chdir(tmp_path)

    def places(word: str) -> dict[str, str]:
        words = [word, *(["train.optimizer.lr=1e-3"] if part == "train.optimizer" else [])]
        return job_request.read_source(file, words, None)[0].user_parts()

    assert places(f"{part}.name=f.py:x") == {part: "../f.py:x"}
    assert places(f"{part}={{name: lib/g.py:x}}")[part] == "../lib/g.py:x"
    assert places(f"{part}.name=my_package.nets:x")[part] == "my_package.nets:x"
    with pytest.raises(UserError, match=r"there is no only\.py in the current folder") as refused:
        places(f"{part}.name=only.py:x")
    assert f"{part}.name=jobs/only.py:x" in str(refused.value)
    assert places(f"{part}.name=jobs/only.py:x")[part] == "only.py:x"


def test_a_begun_run_goes_on_with_an_option_without_effect_that_a_new_one_may_not_have(
    root: Path,
) -> None:
    run = new_run(root, model={"name": "cnn", "embedding": 8})  # as an earlier version began it
    resumed = job_request.read(run.spec, [], None, copied=run.code, begun=run)
    assert resumed.plan(run.path, registry.get("local")).steps
    begun_anew = job_request.read(run.spec, [], None)
    with pytest.raises(UserError, match=r"model\.embedding: has no effect"):
        begun_anew.plan(run.path, registry.get("local"))


def test_missing_gpus_are_noted(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    words = [job_file(tmp_path), "resources.gpus_per_node=2", "--local"]
    found = plan_of(capsys, *words)
    assert found["notes"] == ["asked for 2 GPUs; this machine has none: trains on the CPU"]
    assert "trains on the CPU" in shown(capsys, *words, "--dry-run=plan")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,3")
    assert plan_of(capsys, *words)["plan"]["world_size"] == 2


@pytest.mark.parametrize(
    ("visible", "count"),
    [
        ("", 0),
        ("-1", 0),
        ("NoDevFiles", 0),
        ("0", 1),
        (" 2, 0", 2),
        ("0,-1,1", 1),  # CUDA ignores what follows a name that is none
        ("GPU-8932f937-d72c,GPU-1c2d", 2),
        ("MIG-a4f5b6c7", 1),
    ],
)
def test_the_gpus_of_this_machine_are_those_that_cuda_sees(
    monkeypatch: pytest.MonkeyPatch, visible: str, count: int
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    machine = job_request.this_machine()
    assert machine is not None
    assert machine.gpus == count


def test_without_sbatch_the_job_is_local(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = job_file(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert plan_of(capsys, file)["plan"]["backend"] == "local"
    (tmp_path / "sbatch").write_text("#!/bin/sh\necho sbatch: Job 7 to start at 1795421378 >&2\n")
    (tmp_path / "sbatch").chmod(0o700)
    found = plan_of(capsys, file)
    assert found["plan"]["backend"] == "slurm"
    assert found["start"] == f"to start at {datetime.fromtimestamp(1795421378)}"
    assert plan_of(capsys, file, "--local")["plan"]["backend"] == "local"


def test_a_conflict_is_shown_with_its_position_in_the_file(capsys: Capture, tmp_path: Path) -> None:
    site = tmp_path / "site.yaml"
    site.write_text("name: here\ndefault_partition: p\npartitions: {p: {max_time: '5'}}\n")
    assert main(["submit", job_file(tmp_path), "--site", str(site), "--dry-run=script"]) == 2
    said = capsys.readouterr().err
    line = 1 + next(n for n, text in enumerate(QUICK.splitlines()) if "time:" in text)
    assert f"job.yaml:{line}:" in said
    assert "partition 'p' runs jobs for at most 5" in said
    assert "^" in said


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["train.epoch=3"], "epochs"),
        (["train.epochs=three"], "train.epochs=three"),
        (["data.name=mnist", "data.root=/nowhere"], "hpcdl data fetch mnist"),
        (["model.name=own.py:Net"], "there is no file"),
        (["--site", "nowhere"], "there is no site 'nowhere'"),
    ],
)
def test_user_errors_have_no_traceback(
    capsys: Capture, tmp_path: Path, root: Path, words: list[str], message: str
) -> None:
    assert main(["submit", job_file(tmp_path), "--dry-run=plan", *words]) == 2
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said
    assert not root.exists()


def test_a_missing_job_spec_is_refused(capsys: Capture, tmp_path: Path) -> None:
    assert main(["submit", str(tmp_path / "no.yaml")]) == 2
    assert "there is no file" in capsys.readouterr().err


def test_overrides_may_stand_behind_options(capsys: Capture, tmp_path: Path) -> None:
    found = plan_of(capsys, "--local", job_file(tmp_path), "--new", "train.epochs=5")
    assert found["plan"]["epochs"] == 5


def test_the_script_is_printed_alone(capsys: Capture, tmp_path: Path) -> None:
    text = shown(capsys, job_file(tmp_path), "train.epochs=3", "--dry-run=script")
    assert text.startswith("#!/bin/bash\n#SBATCH --job-name=quick\n")
    subprocess.run(["bash", "-n"], input=text, text=True, check=True)
    # Slurm opens the output file before the script can make the run folder.
    assert "#SBATCH --output" not in text


SRUN = """#!/bin/bash
while [[ $1 == -* ]]; do shift; done
exec "$@"
"""


@pytest.mark.nightly
def test_the_script_makes_its_run_folder_once_and_trains(
    capsys: Capture, tmp_path: Path, root: Path
) -> None:
    text = shown(capsys, job_file(tmp_path), "train.epochs=1", "--dry-run=script")
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "srun").write_text(SRUN)
    (programs / "srun").chmod(0o700)
    task = {"PROCID": "0", "NTASKS": "1", "LOCALID": "0", "NNODES": "1", "JOB_ID": "7"}
    environment = {
        **os.environ,
        **{f"SLURM_{name}": value for name, value in task.items()},
        "PATH": f"{programs}:{os.environ['PATH']}",
    }
    for _ in range(2):  # the second time as after a requeue
        subprocess.run(["bash"], input=text, text=True, check=True, env=environment)
    run = RunDir(root / "quick-1")
    assert [path.name for path in root.glob("quick-*")] == ["quick-1"]
    assert journal.last_state(run.journal)[0] == "completed"
    submission = Submission.load(run)
    assert submission
    assert (submission.backend, submission.job_id) == ("slurm", "7")
    planned = [e for e, _, _ in journal.read(run.journal) if e.get("state") == "planned"]
    assert len(planned) == 1


def test_the_script_of_another_training_does_not_take_over_a_run(
    capsys: Capture, tmp_path: Path, root: Path
) -> None:
    run = new_run(root)
    words = ["submit", job_file(tmp_path), "train.epochs=7", "--prepare", str(run.path)]
    assert main(words) == 2
    assert "is a run of another training" in capsys.readouterr().err
