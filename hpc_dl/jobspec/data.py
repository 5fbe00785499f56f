"""The options that every source of data has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    ConfigDict,
    Discriminator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    Tag,
    ValidationInfo,
    field_validator,
    model_validator,
)

from hpc_dl.jobspec import library_names
from hpc_dl.jobspec.base import REFERENCE, OpenSpec, Spec, tag_by_name
from hpc_dl.jobspec.facts import (  # noqa: F401  some are here for users' code of before
    Column,
    DataFacts,
    Feature,
    Modality,
    Task,
)

Fraction = Annotated[float, Field(gt=0, lt=1)]


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
