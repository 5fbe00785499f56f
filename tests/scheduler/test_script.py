"""The batch script: what is shown is what bash and sbatch will read."""

import dataclasses
import os
import shlex
import subprocess
from pathlib import Path

import pytest

from hpc_dl.planning.plan import Plan
from hpc_dl.scheduler.slurm.script import job_script
from tests.support.slurm_runs import plan_for


def options(script: str) -> list[str]:
    return [line.removeprefix("#SBATCH ") for line in script.splitlines() if "#SBATCH" in line]


def some_plan(tmp_path: Path, **changes: object) -> Plan:
    return dataclasses.replace(plan_for(tmp_path / "runs" / "quick-1"), **changes)  # type: ignore[arg-type]


def test_every_option_of_the_plan_is_a_line(tmp_path: Path) -> None:
    plan = some_plan(tmp_path, sbatch={"nodes": 2, "exclusive": True, "constraint": "a100&nvlink"})
    assert options(job_script(plan)) == [
        "--nodes=2",
        "--exclusive",
        '--constraint="a100&nvlink"',
    ]


def test_an_option_that_is_false_is_left_out(tmp_path: Path) -> None:
    assert options(job_script(some_plan(tmp_path, sbatch={"exclusive": False}))) == []


def test_the_lines_before_the_job_come_in_order(tmp_path: Path) -> None:
    plan = some_plan(tmp_path, setup=["module load cuda"], cpus_per_task=3)
    lines = job_script(plan, "prepare it").splitlines()
    wanted = ["module load cuda", "export OMP_NUM_THREADS=3", "prepare it || exit $?"]
    assert [line for line in lines if line in wanted] == wanted
    (started,) = (line for line in lines if line.startswith("srun "))
    assert f" -m hpc_dl.worker {plan.run_dir} " in started
    assert "--cpus-per-task=3" in started


def test_a_strange_run_folder_is_one_word_to_bash_and_no_pattern_to_slurm(tmp_path: Path) -> None:
    plan = some_plan(tmp_path, run_dir=str(tmp_path / "100% of it" / "quick-1"))
    words = shlex.split(job_script(plan).split("\nsrun ")[1])
    assert f"--chdir={tmp_path}/100% of it/quick-1" in words
    assert "--output=logs/%j-%t.log" in words
    assert plan.run_dir in words


@pytest.mark.parametrize("code", [0, 137])
def test_how_the_tasks_ended_is_how_the_script_ends(tmp_path: Path, code: int) -> None:
    """Whoever has to start the job again is called in between, and only after a failure."""
    plan = some_plan(tmp_path, run_dir=str(tmp_path / "no such run"))
    script = "srun() { return $CODE; }\n" + job_script(plan)
    done = subprocess.run(
        ["bash", "-c", script], env={**os.environ, "CODE": str(code)}, check=False
    )
    assert done.returncode == code


def test_bash_can_read_it(tmp_path: Path) -> None:
    script = job_script(some_plan(tmp_path, setup=["if true; then module() { :; }; fi"]))
    subprocess.run(["bash", "-n"], input=script, text=True, check=True)
