"""Page of a model card, section by section."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from hpc_dl.data.splits import description
from hpc_dl.errors import first_few, printable
from hpc_dl.jobspec import units
from hpc_dl.jobspec.input_names import HOLDS
from hpc_dl.jobspec.units import count
from hpc_dl.model_card import example
from hpc_dl.model_card.known import Known

_PACKAGES = ("torch", "torchvision", "torch_geometric", "torchmetrics", "accelerate", "numpy")
Row = tuple[str, str]


def make(known: Known) -> str:
    """Return the page."""
    parts = {
        "Load it": f"```python\n{example.lines(known.plan.facts, _inputs(known))}```",
        "Figures": _figures(known),
        "Data": _table(_data(known)),
        "Inputs": _table(_taken(known)),
        "Training": _table(_training(known)),
        "Environment": _table(_environment(known)),
        "Limits": _list(_limits(known)),
        "Licence": _licence(known),
        "Job spec": f"```yaml\n{known.spec_text.strip()}\n```",
    }
    whole = "\n\n".join(f"## {title}\n\n{text}" for title, text in parts.items() if text)
    return f"# {known.run_id}\n\n{_what(known)}\n\n{whole}\n"


def _what(known: Known) -> str:
    facts, model = known.plan.facts, known.spec.model
    parameters = known.summary.get("parameters")
    size = f" with {parameters:,} trained parameters" if isinstance(parameters, int) else ""
    task = f"task: {facts.task}" if model.is_supervised else "without a task"
    learned = f", from {facts.modality} {' x '.join(map(str, facts.shape))} ({task})"
    return f"The architecture `{model.name}`{size}, trained by hpcdl on `{known.data_name}`" + (
        f"{learned}."
    )


def _figures(known: Known) -> str:
    """Return a table of the metrics on held-out examples."""
    validation, test = known.metrics("validation"), known.metrics("test")
    names = [*dict.fromkeys([*test, *validation])]
    if not names or known.weights is None:
        return ""
    cells = [(it, _number(validation.get(it)), _number(test.get(it))) for it in names]
    head = "| metric | validation | test |\n| --- | --- | --- |\n"
    rows = "\n".join(f"| {' | '.join(row)} |" for row in cells)
    return (
        f"{head}{rows}\n\nOf the {known.weights.describe()}. One training with one seed: how far "
        f"others are apart, `hpcdl compare '{known.spec.name}-*'` says where there are any."
    )


def _data(known: Known) -> Iterator[Row]:
    facts, data = known.plan.facts, known.spec.data
    read_by = f", read by `data.name: {data.name}`" if known.data_name != data.name else ""
    yield "name", f"`{known.data_name}`{read_by}"
    if known.fingerprint:
        yield "digest", f"`{known.fingerprint.digest}` of {_parts(known.fingerprint.parts)}"
    sizes = f"{facts.train} to train on, {facts.validation} for validation"
    yield "examples", f"{sizes}, {facts.test} for the test"
    if data.drawn:
        yield "splits", description.describe(data, facts)
    if facts.classes:
        yield count(len(facts.classes), "class", "es"), first_few(facts.classes, 20)
    if facts.target_names:
        yield "targets", first_few(facts.target_names, 20)
    if facts.columns:
        yield count(len(facts.columns), "column"), first_few(facts.columns, 40)
    if facts.synthetic:
        yield "made by", "a seeded generator: they are measured nowhere"
    if data.augment:
        yield "changed at random", "each time an example is trained on: `data.augment` below"


def _parts(parts: Iterable[str]) -> str:
    return first_few([f"`{it}`" for it in parts], 4)


def _taken(known: Known) -> Iterator[Row]:
    for name, it in _inputs(known).items():
        shape = " x ".join("any" if size == -1 else str(size) for size in it.get("shape", []))
        holds = f"; {HOLDS[name]}" if name in HOLDS else ""
        yield f"`{name}`", f"{it.get('dtype')}, {shape}{holds}"


def _training(known: Known) -> Iterator[Row]:
    plan, train, environment = known.plan, known.spec.train, known.environment
    yield "steps", f"{plan.steps} planned, of {count(plan.global_batch, 'example')} each"
    seconds = known.summary.get("seconds")
    if isinstance(seconds, int | float):
        of = " in the last attempt; it was resumed" if known.resumed else ""
        yield "time", f"{units.clock(seconds)}{of}"
    device = environment.get("gpu") or environment.get("cpu")
    if device:
        yield "device", f"{count(plan.world_size, 'rank')} on {device}"
    yield "seed", f"{train.seed}"
    yield "precision", f"{train.precision}"


def _environment(known: Known) -> Iterator[Row]:
    here, code = known.environment, known.own_code
    if known.hpcdl:
        yield "hpcdl", f"{known.hpcdl.get('version')}, digest `{known.hpcdl.get('digest')}`"
    if code.get("commit"):
        yield "code", f"commit `{code['commit']}`{', with changes' if code.get('dirty') else ''}"
    for name in ("python", "cuda", "system"):
        if here.get(name):
            yield name, f"{here[name]}"
    for name in _PACKAGES:
        if name in known.packages:
            yield name, f"{known.packages[name]}"


def _limits(known: Known) -> Iterator[str]:
    """Yield what was assumed and is not known."""
    yield from known.plan.notes
    yield (
        "The figures are of examples of these data; of any others nothing is known. No check was "
        "made for bias, or for use where an error does harm."
    )


def _licence(known: Known) -> str:
    if known.spec.data.licence:
        return f"{known.spec.data.licence}, that of the data."
    return "Not stated: hpcdl does not know that of the data."


def _inputs(known: Known) -> dict[str, Any]:
    found = known.exported.get("inputs")
    return found if isinstance(found, dict) else {}


def _number(value: Any) -> str:
    return f"{value:.5g}" if isinstance(value, int | float) else str(value or "")


def _table(rows: Iterable[Row]) -> str:
    lines = [f"| {_cell(name)} | {_cell(text)} |" for name, text in rows]
    return "\n".join(["| | |", "| --- | --- |", *lines]) if lines else ""


def _cell(text: str) -> str:
    return printable(text).replace("|", "\\|")


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {printable(it)}" for it in lines)
