"""sbatch's options: which may be given and where, what wins, and how they reach the script."""

import os
import shlex
import stat
import subprocess
from pathlib import Path

import pytest

from hpc_dl.cli import main
from hpc_dl.errors import UserError
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.jobspec.load import load
from hpc_dl.jobspec.slurm import check_name
from hpc_dl.jobspec.spec_file import SpecError
from hpc_dl.planning import site
from hpc_dl.planning.job_environment import ALLOCATOR
from hpc_dl.planning.plan import Machine, Plan
from hpc_dl.planning.site import Partition, Site
from hpc_dl.scheduler import registry
from hpc_dl.scheduler.plan_job import plan_job
from hpc_dl.scheduler.slurm import sbatch_options, sbatch_variables
from hpc_dl.scheduler.slurm.script import job_script
from hpc_dl.submission import prepare
from tests.support.running import QUICK
from tests.support.slurm_runs import new_slurm_run
from tests.support.typed import job_file, use_settings

FACTS = DataFacts.of("image", "classify", (1, 8, 8), tuple("0123456789"), 1437, 180, 180)
SITE = Site(name="here", slurm={"qos": "low"}, default_partition="main")
TINY = "name: x\nmodel: {name: ffnn}\ndata: {name: digits}\ntrain: {epochs: 1}\n"


def planned(
    environment: dict[str, str] | None = None,
    where: Site = SITE,
    machine: Machine | None = None,
    run_dir: str = "/runs/x-1",
    **resources: object,
) -> Plan:
    spec = {**QUICK, "resources": resources}
    return plan_job(
        registry.get("local" if machine else "slurm"),
        JobSpec.model_validate(spec),
        where,
        FACTS,
        run_dir=Path(run_dir),
        run_root=Path(run_dir).parent,
        data_root=Path("/data"),
        machine=machine,
        environment=environment or {},
    )


def spec_with(tmp_path: Path, option: str, *words: str) -> JobSpec:
    file = tmp_path / "job.yaml"
    file.write_text(f"{TINY}resources:\n  slurm:\n    {option}\n" if option else TINY)
    return load(file, words)


# ---- what breaks the contract

REFUSED = {
    "array: 0-2": "submit one for each",
    "wait: true": "--follow",
    "test-only: true": "--dry-run=plan",
    "test_only: true": "--dry-run=plan",
    "parsable: true": "hpcdl reads sbatch's answer itself",
    "quiet: true": "hpcdl reads sbatch's answer itself",
    "wrap: hostname": "setup",
    "clusters: other": "SLURM_CONF",
    "ntasks: 4": "resources.tasks_per_node",
    "ntasks_per_node: 4": "resources.tasks_per_node",
    "ntasks-per-gpu: 2": "resources.tasks_per_node",
    "nodes: 2": "resources.nodes",
    "gpus: 4": "resources.gpus_per_node",
    "gpus-per-node: 4": "resources.gpus_per_node",
    "gpus-per-task: 2": "resources.gpus_per_node",
    "cpus-per-task: 4": "resources.cpus_per_task",
    "mem: 4G": "resources.mem",
    "time: 5": "resources.time",
    "partition: p": "resources.partition",
    "account: a": "resources.account",
    "job-name: x": "`name`",
    "output: x.log": "hpcdl logs",
    "error: x.log": "hpcdl logs",
    "open-mode: truncate": "hpcdl logs",
    "signal: USR1@10": "signal_seconds",
    "requeue: true": "resources.max_requeues",
    "no-requeue: true": "resources.max_requeues",
    "chdir: /tmp": "setup",
    "uid: 0": "submit it as that user",
    "arr: 0-2": "array",
    "n: 4": "in full",
    "qos: true": "needs a value",
    '"array=0-2": true': "no name of an sbatch option",
    '"qos\\n#SBATCH --array": 0-2': "no name of an sbatch option",
    '"--array": 0-2': "no name of an sbatch option",
    'comment: "x\\n#SBATCH --array=0-2"': r"the character '\n'",
}


@pytest.mark.parametrize("option", REFUSED)
def test_what_breaks_the_contract_is_refused_with_its_place_and_the_key_to_use(
    tmp_path: Path, option: str
) -> None:
    with pytest.raises(SpecError) as caught:
        spec_with(tmp_path, option)
    (problem,) = caught.value.problems
    assert problem.mark.line == 7
    assert "resources.slurm." in problem.message
    assert REFUSED[option] in problem.message


@pytest.mark.parametrize("option", ["array: 0-2", "time: 5", "arr: 0", 'comment: "a\\nb"'])
def test_a_site_cannot_break_it_either(tmp_path: Path, option: str) -> None:
    file = tmp_path / "site.yaml"
    file.write_text(f"name: here\nslurm:\n  {option}\n")
    with pytest.raises(UserError, match=r"site.yaml:3:.*slurm\."):
        site.load(str(file), {})


def test_nor_can_the_command_line(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"command line:1:23: resources\.slurm\.array"):
        spec_with(tmp_path, "", "resources.slurm.array=0-2")


def test_all_that_is_refused_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        spec_with(tmp_path, "array: 0-2\n    wait: true\n    constraint: a100")
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize("value", ["null", "[a]", "1.5", "{a: 1}"])
def test_a_value_is_a_word_a_whole_number_or_true(tmp_path: Path, value: str) -> None:
    with pytest.raises(SpecError, match=r"job.yaml:7:\d+: resources.slurm.qos has to be"):
        spec_with(tmp_path, f"qos: {value}")


def test_an_option_that_is_there_in_two_spellings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="'mail_type' is the same option"):
        spec_with(tmp_path, "mail_type: END\n    mail-type: FAIL")


def test_memory_is_given_once(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="exclude each other"):
        spec_with(tmp_path, "mem-per-cpu: 1G\n  mem: 4G")


def test_where_and_with_what_a_job_runs_stays_the_users(tmp_path: Path) -> None:
    allowed = (
        "{constraint: 'a100&nvlink', qos: high, reservation: r, gres: 'tmpfs:10G', nice: -5, "
        "exclusive: true, mail_type: END, mail-user: me, licenses: x, begin: now+1hour, "
        "dependency: 'afterok:7', hold: true, comment: 'a #b', gpus-per-task: 1, export: NONE, "
        "export-file: /tmp/e, get-user-env: true, nodelist: n1, exclude: n2, hint: nomultithread, "
        "switches: '1@10:00', site-plugin: true, wckey: w, mem-per-cpu: 1G, oversubscribe: true}"
    )
    (tmp_path / "job.yaml").write_text(f"{TINY}resources: {{slurm: {allowed}}}\n")
    options = load(tmp_path / "job.yaml").resources.slurm
    assert len(options) == 25
    assert options["mail-type"] == "END"


# ---- sbatch's variables


@pytest.mark.parametrize(
    ("on", "types"),
    [
        ({}, "END,FAIL,INVALID_DEPEND"),
        ({"on": ["failure", "no_progress"]}, "FAIL,INVALID_DEPEND"),
        ({"on": ["end", "end"]}, "END"),
    ],
)
def test_slurm_is_asked_for_mail(on: dict[str, list[str]], types: str) -> None:
    spec = JobSpec.model_validate({**QUICK, "notify": {"mail": "me@uni.edu", **on}})
    found = sbatch_options.build(spec, SITE, Path("/runs/x-1"))
    assert (found["mail-user"], found["mail-type"]) == ("me@uni.edu", types)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["notify.mail=me at uni"], "one address, like me@uni.edu"),
        (["notify.mail=me@uni.edu"], "jobs of this machine send no mail"),
        (["notify.mail=me@uni.edu", "notify.on=[no_progress]"], "Slurm sends no mail"),
        (["notify.mail=me@uni.edu", "resources.slurm.mail-type=END"], "give one"),
    ],
)
def test_mail_that_cannot_be_sent_is_refused_at_its_place(
    words: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    use_settings(monkeypatch, tmp_path)
    local = "jobs of this machine" in said
    mode = ["--dry-run=plan", "--local"] if local else ["--dry-run=script"]
    assert main(["submit", job_file(tmp_path), *words, *mode]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: command line:1:13: notify.mail: ")
    assert said in error


def test_a_variable_is_the_users_site_and_its_origin_is_kept() -> None:
    plan = planned({"SBATCH_PARTITION": "high", "SBATCH_QOS": "q", "SBATCH_TIMELIMIT": "5"})
    assert (plan.sbatch["partition"], plan.sbatch["qos"], plan.sbatch["time"]) == ("high", "q", "5")
    assert plan.seconds == 300
    assert plan.sbatch["signal"] == "USR2@30"
    assert plan.origins == {
        "partition": "SBATCH_PARTITION",
        "qos": "SBATCH_QOS",
        "time": "SBATCH_TIMELIMIT",
    }


@pytest.mark.parametrize(
    "variable, value, resources, key",
    [
        ("SBATCH_PARTITION", "high", {"partition": "short"}, "resources.partition"),
        ("SBATCH_TIMELIMIT", "5", {"time": "10"}, "resources.time"),
        ("SBATCH_QOS", "q", {"slurm": {"qos": "mine"}}, "resources.slurm.qos"),
        ("SBATCH_MEM_PER_CPU", "2G", {"mem": "4G"}, "resources.mem"),
        ("SBATCH_MEM_PER_NODE", "2G", {"slurm": {"mem-per-cpu": "1G"}}, "resources.slurm.mem-per"),
        ("SBATCH_GPUS_PER_NODE", "2", {"gpus_per_node": 1}, "resources.gpus_per_node"),
        ("SBATCH_JOB_NAME", "other", {}, "name"),
    ],
)
def test_the_job_spec_overrules_a_variable_and_the_plan_says_so(
    variable: str, value: str, resources: dict[str, object], key: str
) -> None:
    plan = planned({variable: value}, **resources)
    assert plan.sbatch == planned(**resources).sbatch
    assert f"{variable}={value} is overruled by {key}" in "".join(plan.notes)
    assert plan.origins == {}


def test_an_unset_key_is_none(tmp_path: Path) -> None:
    """As in the spec of a run that goes on, which has all keys."""
    assert planned({"SBATCH_ACCOUNT": "lab"}, account=None).sbatch["account"] == "lab"


@pytest.mark.parametrize(
    "variable, value, option, wanted",
    [
        ("SBATCH_GPUS_PER_NODE", "2", "ntasks-per-node", 2),
        ("SBATCH_MEM_PER_NODE", "2G", "mem", "2G"),
        ("SBATCH_EXCLUSIVE", "", "exclusive", True),
        ("SBATCH_EXCLUSIVE", "user", "exclusive", "user"),
        ("SBATCH_OVERCOMMIT", "yes", "overcommit", True),
        ("SBATCH_OVERCOMMIT", "no", "overcommit", None),
        ("SBATCH_OVERCOMMIT", "0", "overcommit", None),
        ("SBATCH_CONSTRAINT", "", "constraint", None),
        ("SBATCH_CPU_FREQ_REQ", "low", "cpu-freq", "low"),
        ("SBATCH_EXPORT", "NONE", "export", "NONE"),
        ("SLURM_HINT", "nomultithread", "hint", "nomultithread"),
        ("SBATCH_NO_REQUEUE", "1", "no-requeue", True),
        ("SBATCH_NO_REQUEUE", "0", "no-requeue", None),
        ("SBATCH_WAIT", "0", "wait", None),
        ("SBATCH_DEBUG", "0", "verbose", None),
    ],
)
def test_a_variable_means_what_it_means_to_sbatch(
    variable: str, value: str, option: str, wanted: object
) -> None:
    assert planned({variable: value}).sbatch.get(option) == wanted


def test_a_site_that_forbids_requeues_by_a_variable_gets_follow_up_jobs() -> None:
    assert planned({"SBATCH_NO_REQUEUE": ""}).follow_up
    forbidding = SITE.model_copy(update={"requeue": False})
    assert not planned({"SBATCH_REQUEUE": ""}, forbidding).follow_up


def test_two_variables_of_one_option() -> None:
    both = {"SBATCH_REQ_SWITCH": "1", "SBATCH_WAIT4SWITCH": "10:00"}
    assert planned(both).sbatch["switches"] == "1@10:00"


@pytest.mark.parametrize(
    "variable, value, message",
    [
        ("SBATCH_ARRAY_INX", "0-2", "submit one for each"),
        ("SBATCH_WAIT", "1", "--follow"),
        ("SBATCH_CLUSTERS", "other", "SLURM_CONF"),
        ("SLURM_CLUSTERS", "a,b", "which of them has a job"),
        ("SBATCH_OUTPUT", "x.log", "hpcdl logs"),
        ("SBATCH_SIGNAL", "USR1", "signal_seconds"),
        ("SBATCH_GPUS", "4", "resources.gpus_per_node"),
        ("SBATCH_DEBUG", "1", "hpcdl reads sbatch's answer"),
        ("SBATCH_GPUS_PER_TASK", "2", "one rank runs on each GPU"),
        ("SBATCH_TIMELIMIT", "UNLIMITED", "is not a time"),
        ("SBATCH_GPUS_PER_NODE", "a100:2", "invalid literal"),
        ("SBATCH_CONSTRAINT", "a\nb", r"the character '\\n'"),
        ("SBATCH_PARTITION", "nope", "there is no|has no partition 'nope'"),
        ("SBATCH_SOMETHING_NEW", "1", "does not know this variable"),
    ],
)
def test_a_variable_that_cannot_be_is_refused_by_its_name(
    variable: str, value: str, message: str
) -> None:
    where = SITE.model_copy(update={"partitions": {"main": Partition()}})
    with pytest.raises(UserError, match=message) as caught:
        planned({variable: value}, where)
    assert caught.value.message.startswith(variable)
    planned({variable: value, "SLURM_JOB_ID": "7"}, where)  # it is the surrounding job's own
    planned({variable: value}, where, machine=Machine(2, 0))  # and a local job has no sbatch


def test_every_variable_of_sbatchs_manual_is_known() -> None:
    """Each is merged, overruled or refused by name; none is dropped."""
    for variable, option in sbatch_variables._OPTIONS.items():
        try:
            plan = planned({variable: "1"}, SITE.model_copy(update={"slurm": {}}))
        except UserError as error:
            assert error.message.startswith(variable)
            with pytest.raises(ValueError, match="cannot be given"):
                check_name(option)
        else:
            said = {*plan.origins.values(), *(note.partition("=")[0] for note in plan.notes)}
            assert variable in said


def test_memory_of_the_site_gives_way_to_that_of_the_spec() -> None:
    where = SITE.model_copy(update={"slurm": {"mem-per-cpu": "1G"}})
    assert planned(where=where).sbatch["mem-per-cpu"] == "1G"
    assert "mem-per-cpu" not in planned(where=where, mem="4G").sbatch


# ---- the command line


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    use_settings(monkeypatch, tmp_path)
    monkeypatch.setenv("SBATCH_PARTITION", "high")
    return job_file(tmp_path)


def test_the_plan_shows_where_an_option_comes_from(
    typed: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    sbatch = tmp_path / "bin" / "sbatch"
    sbatch.parent.mkdir()
    sbatch.write_text("#!/bin/sh\nenv >&2; cat >&2\n")
    sbatch.chmod(0o755)
    monkeypatch.setenv("PATH", str(sbatch.parent), prepend=os.pathsep)
    monkeypatch.setenv("SLURM_CONF", "/dev/null")
    assert main(["submit", typed, "--dry-run=plan"]) == 0
    said = capsys.readouterr().out
    assert "partition high (from SBATCH_PARTITION)" in said
    assert "SBATCH --partition=high" in said
    assert "SBATCH_PARTITION=high" not in said  # sbatch, when asked, has it from the script alone


def test_a_script_that_is_given_to_sbatch_by_hand_takes_the_variables_along(
    typed: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["submit", typed, "--dry-run=script"]) == 0
    script = capsys.readouterr().out
    assert "#SBATCH --partition=high" in script
    assert """'resources.partition="high"'""" in script
    monkeypatch.setenv("SBATCH_NO_REQUEUE", "1")
    assert main(["submit", typed, "--dry-run=script"]) == 2
    assert "SBATCH_NO_REQUEUE would have no effect" in capsys.readouterr().err


# ---- the environment of the tasks


def test_what_the_tasks_need_is_set_in_the_script() -> None:
    environment = {
        "PYTHONPATH": "/a b",
        "HPCDL_DATA": "/data",
        "MLFLOW_TRACKING_PASSWORD": "hunter2",
        "MLFLOW_HTTP_REQUEST_TIMEOUT": "9",
        "HTTPS_PROXY": "http://me:hunter2@proxy",
        "MLFLOW_TRACKING_URI": "https://me:hunter2@server",
        "EDITOR": "vi",
    }
    plan = planned(environment, slurm={"export": "NONE"})
    script = job_script(plan)
    assert "export PYTHONPATH='/a b'\nexport" not in script.partition("#SBATCH")[0]
    for line in ("export PYTHONPATH='/a b'", "export HPCDL_DATA=/data"):
        assert line in script.splitlines()
    assert "hunter2" not in script + str(plan.to_json())
    assert "EDITOR" not in script
    assert plan.secrets == ["HTTPS_PROXY", "MLFLOW_TRACKING_PASSWORD"]
    assert ". /runs/x-1/secrets.sh" in script
    assert " --export=ALL " in script
    assert planned(environment).secrets == []  # all is exported: no need to write them down


@pytest.mark.parametrize("machine", [None, Machine(cpus=4, gpus=1)])
def test_a_job_on_processors_keeps_freed_memory_unless_the_user_has_decided(
    machine: Machine | None,
) -> None:
    plan = planned(machine=machine)
    assert ALLOCATOR.items() <= plan.environment.items()
    assert "export MALLOC_TRIM_THRESHOLD_=17179869184" in job_script(planned()).splitlines()
    assert not ALLOCATOR.keys() & planned(machine=machine, gpus_per_node=1).environment.keys()
    for decided in ("MALLOC_ARENA_MAX", "GLIBC_TUNABLES", "LD_PRELOAD"):
        environment = planned({decided: "2"}, machine=machine).environment
        assert not ALLOCATOR.keys() & environment.keys()
    where = SITE.model_copy(update={"environment": {"MALLOC_TRIM_THRESHOLD_": "1"}})
    assert planned(where=where, machine=machine).environment["MALLOC_TRIM_THRESHOLD_"] == "1"


def test_secrets_are_kept_where_the_owner_alone_can_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "it's")
    run, _ = new_slurm_run(tmp_path)
    plan = planned(dict(os.environ), run_dir=str(run.path), slurm={"export": "NIL"})
    prepare.replan(run, load(run.spec), plan)
    assert stat.S_IMODE(run.secrets.stat().st_mode) == 0o600
    said = subprocess.run(
        ["bash", "-c", f". {shlex.quote(str(run.secrets))}; env"],
        env={},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "MLFLOW_TRACKING_PASSWORD=it's" in said.stdout
    prepare.replan(run, load(run.spec), planned(run_dir=str(run.path)))
    assert not run.secrets.exists()


# ---- paths


@pytest.mark.parametrize("character", ["\\", "\n"])
def test_a_run_folder_that_slurm_cannot_be_told_is_refused_with_the_character(
    character: str,
) -> None:
    with pytest.raises(UserError) as caught:
        planned(run_dir=f"/runs{character}/x-1")
    assert repr(character) in caught.value.message
    planned(run_dir=f"/runs{character}/x-1", machine=Machine(2, 0))


def test_nor_one_in_whose_name_submitit_would_put_a_number() -> None:
    with pytest.raises(UserError, match="takes '%j' for a job's number"):
        planned(run_dir="/runs/%j/x-1", machine=Machine(2, 0))
    assert "/runs/%%j/x-1/logs/%j-batch.log" in str(planned(run_dir="/runs/%j/x-1").sbatch)


@pytest.mark.parametrize(
    "options, less",
    [
        ({}, False),
        ({"export": "ALL"}, False),
        ({"export": "ALL,A=1"}, False),
        ({"export": "NONE"}, True),
        ({"export": "NIL"}, True),
        ({"export": "A,B"}, True),
        ({"export-file": "/e"}, True),
        ({"get-user-env": True}, False),
    ],
)
def test_when_a_job_sees_less_than_its_submission(options: dict[str, str], less: bool) -> None:
    assert sbatch_options.exports_less(options) == less
