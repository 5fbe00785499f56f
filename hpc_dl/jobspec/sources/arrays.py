"""Options of arrays in files."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from pydantic import Field, model_validator

from hpc_dl.jobspec.data import Data, Fraction, StreamedData
from hpc_dl.jobspec.facts import Modality, Task


class Arrays(Data):
    """Options of arrays: the first axis is the example."""

    modalities: ClassVar[tuple[Modality, ...]] = ("image", "sequence", "table")
    tasks: ClassVar[tuple[Task, ...]] = ("classify", "regress")
    paths: ClassVar[tuple[str, ...]] = ("path",)

    name: str
    path: str = Field(description="the file")
    inputs: str = Field("x", description="name of the array of examples")
    labels: str = Field("y", description="name of the array of classes, or of regression targets")
    class_names: list[str] | str | None = Field(
        None,
        description="names of the classes in the order of their labels, or the name of an array of "
        "them; if unset, classes are called by their labels",
    )
    validation_inputs: str | None = Field(None, description="examples for validation, if apart")
    validation_labels: str | None = Field(None, description="their classes or numbers")
    test_inputs: str | None = Field(None, description="examples for the final test, if apart")
    test_labels: str | None = Field(None, description="their classes or numbers")
    kind: Literal["image", "sequence", "table"] | None = Field(
        None,
        description="what an example is; if unset, 2 axes are a table, 3 grey images, 4 images",
    )
    task: Literal["classify", "regress"] = Field(
        "classify", description="whether the labels are classes or regression targets"
    )
    test: Fraction = Field(0.1, description="share of the examples for the test, if not apart")
    missing: Literal["refuse", "mean"] = Field(
        "refuse",
        description="what becomes of gaps (NaN) in a table. `mean`: they count as the mean of the "
        "column in the training examples. `refuse`: none may be there",
    )
    groups: str | None = Field(
        None,
        description="name of an array, like one of patients: examples with the same value are kept "
        "in the same split",
    )

    @model_validator(mode="after")
    def _names_of_classes(self) -> Self:
        if self.class_names and self.task == "regress":
            raise ValueError("class_names are for classes, and task: regress predicts numbers")
        return self


class Npz(Arrays):
    """A user's own arrays, saved by numpy.savez: images, sequences or a table."""

    name: Literal["npz"]


class Hdf5(Arrays, StreamedData):
    """A user's own arrays, in HDF5: images, sequences or a table, which may exceed the memory."""

    name: Literal["hdf5"]
