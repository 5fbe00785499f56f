"""The description of a run in MLflow: what makes it differ, what it is, and how it went.

It is Markdown, above the metrics of the run and, cut, in the table of runs. It is written again
whenever the state of the run changes, unless somebody has edited it in MLflow.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

from hpc_dl.jobspec import units
from hpc_dl.jobspec.credentials import hidden
from hpc_dl.run.events import Event
from hpc_dl.run.journal_tail import JournalTail, open_tail
from hpc_dl.run.layout import RunDir
from hpc_dl.run.monitor import short
from hpc_dl.run.weights import Weights
from hpc_dl.tracking import description

_NOTE, _DIGEST = "mlflow.note.content", "hpcdl.description"
_FORMER = "Tested, drawn and exported:"
"""The beginning of descriptions of before, which have no digest."""
_LONGEST = 4000
_SPLITS = {"train": "training", "validation": "validation", "test": "test"}


def tags(run: RunDir, mlflow_id: str, known: Mapping[str, str]) -> dict[str, str]:
    """Return the description with its digest as tags; none where the `known` one is a user's."""
    return as_tags(write(run, mlflow_id), known)


def as_tags(text: str, known: Mapping[str, str]) -> dict[str, str]:
    """Return a text with its digest as tags; none where the `known` one is a user's."""
    there = known.get(_NOTE, "")
    if there and known.get(_DIGEST) != _digest(there) and not there.startswith(_FORMER):
        return {}
    text = description.clean_text(text, _LONGEST)
    return {_NOTE: text, _DIGEST: _digest(text)}


def write(run: RunDir, mlflow_id: str) -> str:
    """Return the description in Markdown."""
    with open_tail(run.journal) as tail:
        summary, state = tail.newest("summary") or {}, tail.newest("state") or {}
        items = [
            *_results(tail, summary),
            ("state", ": ".join(filter(None, [state.get("state"), state.get("reason")]))),
            ("task", _task(run)),
            ("model", _model(run, summary)),
            ("data", _data(run)),
            ("time", _time(tail, summary)),
        ]
    listed = "\n".join(f"- **{name}**: {hidden(text)}" for name, text in items if text)
    parts = [_differences(run), listed]
    if state.get("state") == "completed":
        load = f'mlflow.pyfunc.load_model("runs:/{mlflow_id}/model")'
        parts.append(f"To load it: `{load}`, or `hpcdl predict {run.id} INPUT`")
    return "\n\n".join(filter(None, parts))


def _differences(run: RunDir) -> str:
    """Return the overrides that were typed beside the job file, which tell runs apart."""
    found = description.read_mapping(run.provenance).get("overrides")
    words = [str(it) for it in found] if isinstance(found, list) else []
    return " ".join(f"`{word.replace('`', '')}`" for word in words)


def _task(run: RunDir) -> str:
    facts = description.facts(run)
    of = f" ({facts['modality']})" if facts.get("modality") else ""
    return f"{facts.get('task', '')}{of}"


def _model(run: RunDir, summary: Event) -> str:
    name = str(description.section(run, "model").get("name", ""))
    size = summary.get("parameters")
    return f"{name}, {size:,} parameters" if size else name


def _data(run: RunDir) -> str:
    facts = description.facts(run)
    sizes = [f"{facts[key]} {name}" for key, name in _SPLITS.items() if facts.get(key)]
    made = ", synthetic" if facts.get("synthetic") is True else ""
    name = description.section(run, "data").get("name", "")
    return f"{name}{made}: {', '.join(sizes)} examples" if sizes else f"{name}{made}"


def _results(tail: JournalTail, summary: Event) -> Iterator[tuple[str, str]]:
    """Yield the results of the exported weights; until there are some, the newest ones."""
    weights = Weights.from_json(summary.get("weights"))
    if weights is None:
        newest = tail.newest("metrics", '"val/')
        if newest:
            yield "validation", f"{_join(newest['values'])} (step {newest['step']}, the newest)"
        return
    for split, key in (("test", "values"), ("validation", "validation")):
        yield split, _join(summary.get(key) or {})
    yield "weights", weights.describe()


def _join(values: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{name.partition('/')[2] or name} {short(value)}"
        for name, value in values.items()
        if isinstance(value, int | float | str)
    )


def _time(tail: JournalTail, summary: Event) -> str:
    seconds, step = summary.get("seconds"), summary.get("seconds_per_step")
    if not seconds:
        return ""
    is_resumed = tail.oldest("started") != tail.newest("started")
    since = " since the last resume" if is_resumed else ""
    each = f", {1000 * step:.3g} ms a step" if step else ""
    return f"{units.clock(seconds)} of training{since}{each}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
