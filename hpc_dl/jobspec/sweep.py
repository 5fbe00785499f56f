"""The section `sweep` of a job spec: which values are tried, and how.

A list is the values to try, so that an option that takes a list itself has a list of lists. What
the values do to the rest of the spec is checked once they are applied to it, at submission.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Field,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Tag,
    WithJsonSchema,
    model_validator,
)

from hpc_dl.jobspec.base import Misplaced, Spec
from hpc_dl.jobspec.yaml_text import Path

MethodName = Literal["grid", "random", "tpe", "asha", "hyperband", "median"]
SECTIONS = ("model", "data", "train")
"""What a training depends on; of `checkpoint`, the metric that chooses the weights does."""
MOST_TRIALS = 10_000
_WITH_RUNGS = ("asha", "hyperband")
_LIKE = "like [1e-3, 1e-4] or {log_uniform: [1e-4, 1e-2]}"


def as_json(value: Any) -> str:
    """Return a value on one line, by which equal values are found: 1 and 1.0 are two."""
    return json.dumps(value, sort_keys=True)


def _key(key: str) -> str:
    """Raise ValueError for a key whose values make no difference to the training."""
    section, dot, option = key.partition(".")
    if key == "checkpoint.monitor" or (section in SECTIONS and option):
        return key
    if section in SECTIONS and not dot:
        raise ValueError(f"write the options of {section} one by one, like {section}.name")
    raise ValueError(
        "is the same for all trials: options of model, data and train are swept, and "
        "checkpoint.monitor"
    )


def _values(values: list[Any]) -> list[Any]:
    """Raise Misplaced for a value that is there twice, or is no number that a spec can have."""
    seen: dict[str, int] = {}
    for number, value in enumerate(values):
        if isinstance(value, float) and not math.isfinite(value):
            raise Misplaced((number,), "is not finite")
        first = seen.setdefault(as_json(value), number)
        if first != number:
            raise Misplaced((number,), f"is there twice: it is value {first + 1}, too")
    return values


def _rising(ends: list[Any]) -> list[Any]:
    if ends[0] >= ends[1]:
        raise ValueError(f"the first of two has to be below the second, not {ends}")
    return ends


_Ends = AfterValidator(_rising)
_TWO = Field(min_length=2, max_length=2)
Values = Annotated[list[Any], Field(min_length=1), AfterValidator(_values)]


class Uniform(Spec):
    """Any number between two."""

    uniform: Annotated[list[float], _TWO, _Ends] = Field(description="from the first to the second")


class LogUniform(Spec):
    """Any number between two, each power of ten as likely as another."""

    log_uniform: Annotated[list[PositiveFloat], _TWO, _Ends] = Field(
        description="from the first to the second, each power of ten as likely as another"
    )


class IntUniform(Spec):
    """Any whole number from one to another, both included."""

    int_uniform: Annotated[list[int], _TWO, _Ends] = Field(
        description="whole numbers from the first to the second, both included"
    )


class Choice(Spec):
    """One of these, as a list is, also for an option of which hpcdl cannot tell whether it takes a
    list itself."""

    choice: Values = Field(description="as a list is")


Distribution = Uniform | LogUniform | IntUniform
KINDS = {"uniform": Uniform, "log_uniform": LogUniform, "int_uniform": IntUniform, "choice": Choice}


def is_distribution(value: Any) -> bool:
    """Return whether a value of YAML is one of `KINDS`: a mapping with that key alone."""
    return isinstance(value, Mapping) and len(value) == 1 and next(iter(value)) in KINDS


def _tag(value: Any) -> str:
    if isinstance(value, list):
        return "values"
    if isinstance(value, Spec):
        return next(iter(type(value).model_fields))
    return str(next(iter(value))) if is_distribution(value) else "one"


def _several(value: Any) -> Any:
    """Raise ValueError for one value where several are to be tried."""
    if _tag(value) == "one":
        of_mapping = f", or one of {', '.join(KINDS)}" if isinstance(value, Mapping) else ""
        raise ValueError(f"has to be a list of the values to try{of_mapping}, {_LIKE}")
    return value


_Several = (
    Annotated[Values, Tag("values")]
    | Annotated[Uniform, Tag("uniform")]
    | Annotated[LogUniform, Tag("log_uniform")]
    | Annotated[IntUniform, Tag("int_uniform")]
    | Annotated[Choice, Tag("choice")]
)
Key = Annotated[str, AfterValidator(_key)]
Parameter = Annotated[_Several, Discriminator(_tag), BeforeValidator(_several)]
CaseValue = Annotated[
    _Several | Annotated[Any, Tag("one")], Discriminator(_tag), WithJsonSchema({})
]
"""In a case, a value alone is that of the whole case."""


class Sweep(Spec):
    """Many trainings of this spec, with other values: `hpcdl submit JOB.yaml --sweep`."""

    parameters: dict[Key, Parameter] = Field(
        {}, description="the values of each option by its key: a list, or a distribution"
    )
    zip: dict[Key, Values] = Field(
        {}, description="options whose values go together: the first with the first, and so on"
    )
    cases: list[dict[Key, CaseValue]] = Field(
        [], description="options that belong together, of which one group is taken at a time"
    )
    configurations: list[dict[Key, Any]] = Field(
        [], description="these values alone, trial by trial, instead of all the above"
    )
    method: MethodName = Field(
        "grid",
        description="how values are chosen; random if unset where some are drawn from a "
        "distribution. asha, hyperband and median end trials early, and draw at random where "
        "`trials` is set",
    )
    trials: PositiveInt | None = Field(
        None, description="how many configurations; all of a grid if unset"
    )
    seeds: PositiveInt | None = Field(
        None, description="train each configuration with so many values of train.seed, from 0 on"
    )
    concurrent: PositiveInt = Field(8, description="how many jobs at once")
    trials_per_gpu: PositiveInt = Field(
        1, description="trainings that share the GPU of a job, or its cores"
    )
    gpu_hours: PositiveFloat | None = Field(
        None,
        description="no new trial begins once all have used that many hours of a GPU, or of a "
        "node where jobs have no GPU",
    )
    metric: str | None = Field(
        None,
        description="of the validation, like val/loss; the one that chooses the best checkpoint "
        "if unset",
    )
    goal: Literal["minimize", "maximize"] | None = Field(
        None, description="that of the metric, where it is known, if unset"
    )
    seed: NonNegativeInt = Field(0, description="of the values that are drawn")
    reduction_factor: Annotated[int, Field(ge=2)] = Field(
        3, description="of asha and hyperband: one trial of so many goes on at each rung"
    )
    min_epochs: PositiveInt = Field(1, description="of asha and hyperband: to the first rung")

    @property
    def keys(self) -> list[str]:
        """The keys of all options that are swept, in their order."""
        return list(dict.fromkeys(key for key, _, _ in self.places()))

    @property
    def is_drawn(self) -> bool:
        """True if values are drawn, at random or by TPE; False for all of a grid, or a list."""
        stops = self.method not in ("grid", "random", "tpe")
        return self.method in ("random", "tpe") or (stops and self.trials is not None)

    @property
    def has_rungs(self) -> bool:
        """True if trials pause at rungs, after so many epochs, from where the best go on."""
        return self.method in _WITH_RUNGS

    def places(self) -> Iterator[tuple[str, Path, Any]]:
        """Yield every swept key with its place below `sweep`, and what stands there."""
        for name in ("parameters", "zip"):
            for key, value in getattr(self, name).items():
                yield key, (name, key), value
        for name in ("cases", "configurations"):
            for number, group in enumerate(getattr(self, name)):
                for key, value in group.items():
                    yield key, (name, number, key), value

    @property
    def size(self) -> int | None:
        """How many configurations there are; None where a distribution has any number of them."""
        if self.configurations:
            return len(self.configurations)
        axes = [_size(it) for it in self.parameters.values()]
        axes += [len(it) for it in [*self.zip.values()][:1]]
        if self.cases:
            of_cases = [_product([_size(it) for it in case.values()]) for case in self.cases]
            axes.append(None if None in of_cases else sum(filter(None, of_cases)))
        return _product(axes)

    @model_validator(mode="before")
    @classmethod
    def _drawn_if_unset(cls, values: Any) -> Any:
        if not isinstance(values, dict) or "method" in values:
            return values
        groups = [values.get("parameters"), *(values.get("cases") or ())]
        entries = [it for group in groups if isinstance(group, dict) for it in group.values()]
        is_drawn = any(is_distribution(it) and "choice" not in it for it in entries)
        return {**values, "method": "random"} if is_drawn else values

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        self._check_contents()
        self._check_keys()
        self._check_method()
        self._check_number()
        if self.metric is not None and not self.metric.startswith("val/"):
            why = ": the test is for the end" if self.metric.startswith("test/") else ""
            raise Misplaced(("metric",), f"has to be one of the validation, like val/loss{why}")
        return self

    def _check_contents(self) -> None:
        if not self.keys and self.seeds is None:
            raise ValueError(
                "has nothing to try: write parameters, like {parameters: {train.optimizer.lr: "
                "[1e-3, 1e-4]}}, or seeds: 5"
            )
        if len(self.zip) == 1:
            raise Misplaced(("zip", *self.zip), "has no other option to go with")
        first, *others = self.zip or [""]
        for key in others:
            here, there = len(self.zip[key]), len(self.zip[first])
            if here != there:
                raise Misplaced(("zip", key), f"has {here} values, and {first} has {there}")
        for name in ("cases", "configurations"):
            seen: dict[str, int] = {}
            for number, group in enumerate(self.model_dump(mode="json", include={name})[name]):
                before = seen.setdefault(as_json(group), number)
                if before != number:
                    raise Misplaced((name, number), f"is there twice: it is number {before + 1}")

    def _check_keys(self) -> None:
        others = [it for it in ("parameters", "zip", "cases") if getattr(self, it)]
        if self.configurations and others:
            raise Misplaced(("configurations",), f"and {others[0]} exclude each other")
        for group in self._together():
            for key, path in group.items():
                parts = key.split(".")
                for length in range(2, len(parts)):
                    if (outer := ".".join(parts[:length])) in group:
                        raise Misplaced(path, f"is a part of {outer}, which is swept as well")
            if self.seeds is not None and "train.seed" in group:
                raise Misplaced(group["train.seed"], "and seeds exclude each other")

    def _together(self) -> Iterator[dict[str, Path]]:
        """Yield the keys that are swept at a time, with their places. Raises Misplaced for one that
        is there twice."""
        shared: dict[str, Path] = {}
        groups: dict[Path, dict[str, Path]] = {}
        for key, path, _ in self.places():
            is_shared = path[0] in ("parameters", "zip")
            group = shared if is_shared else groups.setdefault(path[:2], dict(shared))
            if key in group:
                raise Misplaced(path, f"is in {group[key][0]}, too")
            group[key] = path
        yield from [shared, *groups.values()]

    def _check_method(self) -> None:
        method = self.method
        if self.configurations and method in ("random", "tpe"):
            raise Misplaced(("method",), f"{method} draws values, but configurations are given")
        if self.is_drawn and self.trials is None:
            raise Misplaced(("method",), f"{method} needs the number of trials, like trials: 20")
        for key, path, value in self.places():
            if not self.is_drawn and isinstance(value, Distribution):
                more = "method: random and trials: 20" if method == "grid" else "trials: 20"
                raise Misplaced(path, f"a grid lists its values; to draw them, write {more}")
            if self.has_rungs and key in ("train.epochs", "train.steps"):
                raise Misplaced(path, f"all trials of {method} are of one length")
        if self.seeds is not None and method not in ("grid", "random"):
            raise Misplaced(("seeds",), f"{method} does not train every trial to its end")
        for name in ("reduction_factor", "min_epochs"):
            changed = getattr(self, name) != Sweep.model_fields[name].default
            if changed and not self.has_rungs:
                raise Misplaced((name,), f"is for {' and '.join(_WITH_RUNGS)}, not {method}")

    def _check_number(self) -> None:
        size = self.size
        if self.configurations and self.trials is not None:
            raise Misplaced(("trials",), f"the {size} configurations say how many there are")
        if self.trials is not None and size is not None and self.trials > size:
            raise Misplaced(("trials",), f"there are {size} configurations, not {self.trials}")
        if (number := (self.trials or size or 1) * (self.seeds or 1)) > MOST_TRIALS:
            path = ("trials",) if self.trials else ("seeds",) if self.seeds else ()
            raise Misplaced(
                path, f"{number:,} trials are more than {MOST_TRIALS:,}: draw fewer, at random"
            )


def _size(value: Any) -> int | None:
    """Return how many values there are in an entry; None for any number."""
    match value:
        case IntUniform():
            return value.int_uniform[1] - value.int_uniform[0] + 1
        case Choice():
            return len(value.choice)
        case list():
            return len(value)
    return None if isinstance(value, Distribution) else 1


def _product(sizes: Sequence[int | None]) -> int | None:
    known = [it for it in sizes if it is not None]
    return math.prod(known) if len(known) == len(sizes) else None
