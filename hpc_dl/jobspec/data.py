"""Data: the facts about a source, and the options that every source has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AliasChoices,
    ConfigDict,
    Discriminator,
    Field,
    GetCoreSchemaHandler,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import core_schema

from hpc_dl.jobspec import library_names
from hpc_dl.jobspec.base import REFERENCE, OpenSpec, Spec, tag_by_name
from hpc_dl.jobspec.model import Modality, Task

Fraction = Annotated[float, Field(gt=0, lt=1)]


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


class Augment(Spec):
    """Random changes to what is trained on, drawn anew each time; crop, flip and rotation are of
    pictures."""

    crop: NonNegativeInt = Field(
        0, description="pixels of black border, out of which the old size is cut at random"
    )
    flip: bool | Literal["alternate"] = Field(
        False,
        description="mirror a picture, left to right, half of the time; or `alternate`: in every "
        "other epoch, half of the pictures in the first one and the others in the next",
    )
    rotation: Annotated[float, Field(ge=0, le=180)] = Field(
        0.0, description="most degrees that a picture is turned by, either way; corners are black"
    )
    noise: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0, description="standard deviation of Gaussian noise; pixels lie in [0, 1]"
    )
    transpose: NonNegativeInt = Field(
        0, description="most semitones by which a piece of music is shifted, up or down"
    )
    mixup: NonNegativeFloat = Field(
        0.0,
        description="α of Beta(α, α), by whose shares two examples and their labels are mixed; "
        "0 mixes none",
    )


class UserAugment(OpenSpec):
    """A user's function of a batch of inputs, (B, ...), which returns them changed; other keys are
    its arguments."""

    name: str = Field(pattern=REFERENCE, description="my_code.py:my_augmentation")


def _of_augment(value: Any) -> str:
    return tag_by_name(value) or "shipped"


AnyAugment = Annotated[
    Annotated[Augment, Tag("shipped")] | Annotated[UserAugment, Tag("own")],
    Discriminator(_of_augment),
]


class Data(Spec):
    """Options that every source of data has."""

    source_module: ClassVar[str] = ""
    """The module with its `Source`; if empty, that of the same name in `hpc_dl.data.sources`."""
    modalities: ClassVar[tuple[Modality, ...]] = ("image",)
    tasks: ClassVar[tuple[Task, ...]] = ("classify",)
    drawn: ClassVar[tuple[str, ...]] = ("validation", "test")
    """The splits that are drawn from the training examples, unless the data have them."""
    loading_options: ClassVar[set[str]] = {"loading"}
    """Options that change no batch."""
    can_stream: ClassVar[bool] = False
    """True if its examples can also be read while training."""
    licence: ClassVar[str] = ""
    """Of the data, as an SPDX identifier, where their publisher states one; never a guess."""

    name: str
    batch_size: PositiveInt = Field(
        128, description="examples in a global batch, all ranks together"
    )
    validation: Fraction = Field(0.1, description="share of the training examples held out")
    split_seed: NonNegativeInt = Field(
        0,
        description="decides, and nothing else does, which examples are drawn for validation and "
        "test; train.seed does not change them",
    )
    stratify: bool = Field(
        True,
        description="divide the examples of each class in proportion where they are drawn, so that "
        "the splits have the same shares of the classes; without classes it changes nothing",
    )
    folds: Annotated[int, Field(ge=2)] | None = Field(
        None,
        description="for cross-validation: divide the examples into so many parts, of which one, "
        "`fold`, is the test, in place of the share `test`",
    )
    fold: NonNegativeInt | None = Field(
        None, description="which of the `folds` is the test, counted from 0"
    )
    augment: AnyAugment | None = Field(
        None, description="random changes to training examples, or my_code.py:my_augmentation"
    )
    loading: Literal["auto", "resident", "streaming"] = Field(
        "auto",
        description="all examples in memory, or read while training; by their size if `auto`",
    )

    @property
    def resizes(self) -> bool:
        """True if it makes pictures of any size those that the network takes."""
        return False

    @property
    def carries_state(self) -> bool:
        """True if recurrent states go on from a batch to the next, whose examples follow."""
        return False

    @classmethod
    def refused_options(cls) -> set[str]:
        found = set() if "test" in cls.drawn else {"folds", "fold"}
        if not cls.drawn:
            found.add("split_seed")
            found |= set() if "test" in cls.model_fields else {"validation"}
        return found

    @field_validator("validation", "split_seed", "folds")
    @classmethod
    def _something_is_drawn(cls, value: Any, info: ValidationInfo) -> Any:
        name = str(info.field_name)
        if name not in cls.refused_options() or value == cls.model_fields[name].default:
            return value
        if name == "folds":
            raise ValueError("these data have a test split of their own, and cannot be folded")
        raise ValueError("these data have all splits of their own, which it does not change")

    @field_validator("fold")
    @classmethod
    def _fold_is_one_of_them(cls, fold: int | None, info: ValidationInfo) -> int | None:
        folds = info.data.get("folds")
        if fold is not None and folds is not None and fold >= folds:
            raise ValueError(f"there are {folds} folds, 0 to {folds - 1}, not {fold}")
        return fold

    @model_validator(mode="after")
    def _folds_and_fold(self) -> Self:
        if (self.folds is None) != (self.fold is None):
            raise ValueError(
                "folds and fold go together: how many there are, and which is the test"
            )
        return self


class ConsecutiveData(Data):
    """Options of one long sequence, whose parts for training, validation and test follow each
    other."""

    drawn: ClassVar[tuple[str, ...]] = ()

    name: str
    test: Fraction = 0.1

    @model_validator(mode="after")
    def _something_is_left(self) -> Self:
        if self.validation + self.test >= 1:
            raise ValueError(
                f"validation {self.validation:g} and test {self.test:g} are the whole of it: "
                "nothing is left to train on"
            )
        return self


class StreamedData(Data):
    """Options of a source whose examples worker processes can also read while training."""

    loading_options: ClassVar[set[str]] = {"loading", "workers"}
    can_stream: ClassVar[bool] = True

    name: str
    workers: NonNegativeInt | None = Field(
        None,
        description="processes of each rank that read examples while it trains, where they are "
        "streamed; one less than its cores if unset",
    )


class RaggedData(Data):
    """Options of a source whose examples differ in length."""

    name: str
    by_length: bool = Field(
        True,
        description="train on batches of examples of similar length, which are padded less; they "
        "are drawn anew each epoch",
    )


class StagedData(Data):
    """Options of a data set that `hpcdl data fetch` stages."""

    paths: ClassVar[tuple[str, ...]] = ("root",)

    name: str
    root: str | None = Field(
        None, description="where it is staged; the site's data folder if unset"
    )


class LibraryData(Data):
    """Options of a source that is made by somebody else's code, which gets every other key."""

    model_config = ConfigDict(extra="allow")

    library: ClassVar[str] = ""
    """Its name before the first colon, if it has many data sets: `torchvision:CIFAR10`."""
    others: ClassVar[Mapping[str, str]] = {}
    """What the data sets of the library have that are of other tasks, and their names."""

    @classmethod
    def members(cls) -> Sequence[str]:
        """Return the data sets that the library has for these tasks."""
        others = " ".join(cls.others.values()).split()
        return [it for it in library_names.dataset_classes(cls.library) if it not in others]

    @property
    def options(self) -> dict[str, Any]:
        """Options for that code: every key that the source does not have itself."""
        return dict(self.model_extra or {})

    @model_validator(mode="after")
    def _no_groups(self) -> Self:
        if "groups" in self.options:
            raise ValueError(
                f"groups is not for {self.name}: image_folder, csv, parquet, npz and hdf5 take it, "
                "and a source of your own returns a tensor `group` beside its examples"
            )
        return self
