"""Facts about a source of data, which the plan and the architecture need before training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, GetCoreSchemaHandler
from pydantic_core import core_schema

Modality = Literal["image", "sequence", "table", "graph", "text", "audio", "video", "music"]
Task = str
"""The name of what is asked of an example: that of a file in `hpc_dl/tasks`, or of an entry point
of the group `hpc_dl.tasks`; `none` where nothing is asked."""
Part = Literal["input", "target", "dropped", "group", "index"]


@dataclass(frozen=True)
class Column:
    """A column of a table's file, as it was read."""

    name: str
    part: Part
    type: Literal["number", "bool", "words", "date", "other"]
    values: int
    """How many different ones there are, gaps aside."""
    gaps: int
    words: tuple[str, ...] = ()
    """Those that are known, where an input is of words."""
    format: str = ""
    """Of dates that are text."""
    fill: float | None = None
    """What a missing number is filled with; None marks it by an input of its own."""
    summary: str = field(default="", compare=False)
    """The range of numbers, or the most frequent words, for people."""


UNKNOWN = "<unk>"
"""The token of what is in no training example; where there is one, its id is 0."""
BEGIN, END = "<s>", "</s>"
"""The tokens before and after a text that is written, where it has them."""


@dataclass(frozen=True)
class Feature:
    """One named tensor of every example: an input or a target."""

    dtype: Literal["float", "int"]
    """Integers are token ids or classes, all else is floats."""
    shape: tuple[int | None, ...]
    """Of one example; None along an axis that differs between examples."""
    vocabulary: tuple[str, ...] = ()
    """What its integers stand for: tokens or classes; the names of the numbers of a float."""
    longest: int = 0
    """The most elements along an axis that differs."""
    rate: float = 0.0
    """Samples a second of audio, frames a second of video; 0 where time has no unit."""
    gaps: bool = False
    """Whether its numbers may be missing, as NaN."""
    tokens: str = ""
    """The kind of the tokens of a text, by which the text is put together again."""
    quantiles: tuple[float, ...] = field(default=(), compare=False)
    """Those that are to be forecast."""


@dataclass(frozen=True)
class DataFacts:
    """Facts of a source that the plan and the architecture need before training."""

    modality: Modality
    task: Task
    inputs: dict[str, Feature]
    """By the name of the tensor in a batch; of a graph, the features of one node."""
    targets: dict[str, Feature]
    train: int
    validation: int
    test: int
    columns: tuple[str, ...] = ()
    """Of a table: what its columns are; `colour=red` is 1 where the word is that, and else 0, and
    `size is missing` where that is a gap."""
    raw: tuple[Column, ...] = ()
    """Of a table in a file: the columns of the file, from which those above are made."""
    include_classes: Annotated[
        tuple[str, ...], Field(validation_alias=AliasChoices("include_classes", "only"))
    ] = ()
    """The classes that are trained on, where the test has others as well."""
    csv: Mapping[str, Any] = field(default_factory=dict)
    """Of a table in a CSV file: the options by which it is read, of those that were set."""
    class_counts: dict[str, tuple[int, ...]] = field(default_factory=dict, compare=False)
    """The examples of each class by split, where they are known before the training."""
    drawn: tuple[str, ...] | None = field(default=None, compare=False)
    """The splits that the data do not have, which are drawn from the training examples; None where
    that is not known."""
    groups: int = 0
    """Of the training examples; the members of a group are in the same split. 0 without groups."""
    undirected: bool = False
    """Of graphs: whether each of their edges is there in both directions."""
    contents: tuple[tuple[str, str], ...] = ()
    """Digests of the tensors by name, of examples that are in no files known to hpcdl."""
    synthetic: bool = False
    """Whether the examples are made by a seeded generator, and measured nowhere."""
    example_bytes: int = field(default=0, compare=False)
    """In memory; 0 where it is not known."""
    notes: tuple[str, ...] = field(default=(), compare=False)
    """What was assumed or left out as the data were read, a sentence each, for the plan. They may
    change without the examples, as when a file is put beside them."""

    @classmethod
    def of(
        cls,
        modality: Modality,
        task: Task,
        shape: tuple[int, ...],
        classes: tuple[str, ...],
        train: int,
        validation: int,
        test: int,
        targets: tuple[str, ...] = (),
        **more: Any,
    ) -> DataFacts:
        """Return the facts of data with one input, of one shape: an image (channels, height,
        width), a sequence (length, features), a row of a table (columns,) or a graph (features of
        a node,). `targets` are the names of the numbers to predict."""
        features = _features(modality, task, shape, classes, targets)
        return cls(modality, task, *features, train, validation, test, **more)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the first input of one example; of the longest, where examples differ."""
        first = next(iter(self.inputs.values()))
        return tuple(first.longest if axis is None else axis for axis in first.shape)

    @property
    def is_ragged(self) -> bool:
        """True if examples differ in length."""
        return any(None in feature.shape for feature in self.inputs.values())

    @property
    def classes(self) -> tuple[str, ...]:
        """The names of the classes, where there are any."""
        return self.targets["label"].vocabulary if "label" in self.targets else ()

    @property
    def target_names(self) -> tuple[str, ...]:
        """The names of the numbers to predict, where the task is to regress."""
        return self.targets["target"].vocabulary if "target" in self.targets else ()

    @property
    def outputs(self) -> int:
        """Return how many numbers a network gives for an example: one a class, target or token."""
        return len(next(iter(self.targets.values())).vocabulary) if self.targets else 0

    kind = property(attrgetter("modality"))
    """Former name of `modality`."""

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_before_validator_function(_with_features, handler(source))


def _features(
    modality: Modality,
    task: Task,
    shape: Sequence[int],
    classes: Sequence[str],
    targets: Sequence[str],
) -> tuple[dict[str, Feature], dict[str, Feature]]:
    """The inputs and the targets of data with one input, of one shape."""
    name = "node" if modality == "graph" else str(modality)
    inputs = {name: Feature("float", tuple(shape))}
    if task == "regress":
        return inputs, {"target": Feature("float", (len(targets),), tuple(targets))}
    return inputs, {"label": Feature("int", (), tuple(classes))} if task != "none" else {}


def _with_features(value: Any) -> Any:
    """Facts as they are written now, from those of before there were features."""
    if not isinstance(value, Mapping) or "kind" not in value:
        return value
    rest = dict(value)
    modality, task = rest.pop("kind"), rest["task"]
    old = (rest.pop("shape"), rest.pop("classes"), rest.pop("targets", ()))
    inputs, targets = _features(modality, task, *old)
    return {**rest, "modality": modality, "inputs": inputs, "targets": targets}
