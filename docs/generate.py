"""Write docs/job-spec.md from the pydantic models: `python docs/generate.py`.

A test compares the file with what this would write.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import get_args

from hpc_dl.jobspec import fields, job, sweep, train
from hpc_dl.jobspec.architectures import ZOO
from hpc_dl.jobspec.base import Spec
from hpc_dl.jobspec.data import Augment, Data, UserAugment
from hpc_dl.jobspec.init_from import InitFrom
from hpc_dl.jobspec.model import Model, UserModel
from hpc_dl.jobspec.schema import Option, options, to_yaml
from hpc_dl.jobspec.sources import SOURCES, UserData

FILE = Path(__file__).parent / "job-spec.md"
INTRODUCTION = """\
# The job spec

<!-- Written by docs/generate.py from the models in hpc_dl/jobspec/: change those. -->

Every option, generated from the models that check a spec. In a file they stand under their
section (`train: {epochs: 3}`), on the command line with a dot (`train.epochs=3`). `hpcdl init NAME`
writes a spec with all options of an architecture, and `hpcdl schema` prints the JSON Schema for
editors.
"""


def page() -> str:
    """Return the whole page."""
    return "\n".join([INTRODUCTION, *_top(), *_model(), *_data(), *_train(), *_rest()])


def _top() -> list[str]:
    about = {key: it.description or "" for key, it in job.JobSpec.model_fields.items()}
    found = [
        Option("name", "text", None, True, about["name"]),
        Option("code", "list of text", [], False, about["code"]),
        Option("after", "text | list of text", [], False, about["after"]),
    ]
    return ["## At the top", "", *_table(found)]


def _model() -> list[str]:
    common = {it.name for it in options(Model)}
    lines = ["## model", "", "`model.name` chooses an architecture, or a network of your own.", ""]
    lines += ["Every architecture has these options:", "", *_table(options(Model))]
    lines += _part("### init_from", InitFrom)
    for name, options_class in ZOO.items():
        lines += _part(f"### {name}", options_class, without=common)
    return [*lines, *_part("### my_code.py:MyNet", UserModel, without=common)]


def _data() -> list[str]:
    common = {it.name for it in options(Data)}
    lines = ["## data", "", "`data.name` chooses a source. Every source has these options:", ""]
    lines += _table(options(Data))
    lines += _part("### augment", Augment) + _part("### augment: my_code.py:NAME", UserAugment)
    for name, options_class in SOURCES.items():
        lines += _part(f"### {name}", options_class, without=common)
    return [*lines, *_part("### my_code.py:my_function", UserData, without=common)]


def _train() -> list[str]:
    lines = _part("## train", train.Train)
    for choice in ("loss", "optimizer", "schedule"):
        for member in fields.models(train.Train, choice):
            lines += _part(f"### {choice}: {_name(member)}", member)
    return [*lines, *_part("### early_stopping", train.EarlyStopping)]


def _rest() -> list[str]:
    lines = []
    for section in ("resources", "checkpoint", "tracking", "notify"):
        part = job.JobSpec.model_fields[section].annotation
        assert isinstance(part, type)
        lines += _part(f"## {section}", part)
    return [*lines, *_sweep()]


def _sweep() -> list[str]:
    lines = _part("## sweep", sweep.Sweep)
    lines += [
        "[sweeps.md](sweeps.md) explains how `sweep` is used. A distribution is one of:",
        "",
    ]
    return [*lines, *_table(it for kind in sweep.KINDS.values() for it in options(kind))]


def _part(title: str, part: type[Spec], without: Iterable[str] = ()) -> list[str]:
    about = " ".join((part.__doc__ or "").split("\n\n")[0].split())
    found = [it for it in options(part) if it.name not in without]
    return [title, "", about, "", *(_table(found) if found else [])]


def _table(found: Iterable[Option]) -> list[str]:
    lines = ["| option | default | takes | meaning |", "| --- | --- | --- | --- |"]
    for it in found:
        default = "(needed)" if it.required else f"`{to_yaml(it.default)}`"
        cells = [f"`{it.name}`", default, it.takes, it.about]
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return [*lines, ""]


def _name(part: type[Spec]) -> str:
    names = get_args(part.model_fields["name"].annotation)
    return ", ".join(map(str, names)) or "my_code.py:NAME"


if __name__ == "__main__":
    FILE.write_text(page())
