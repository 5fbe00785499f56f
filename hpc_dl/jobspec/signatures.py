"""Options that a class or a function takes by its signature: a user's, or one of torch's.

    class Net(nn.Module):
        def __init__(self, input_shape, outputs, width: int = 64): ...

Some parameters hpcdl gives; the others are options of the job spec, which are checked like those of
hpcdl's own: names, and where a parameter is annotated, types.
"""

from __future__ import annotations

import inspect
import json
import typing
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    PydanticUserError,
    TypeAdapter,
    ValidationError,
    create_model,
)
from pydantic.errors import PydanticSchemaGenerationError

from hpc_dl.jobspec.base import Spec
from hpc_dl.jobspec.faults import Fault, find_faults
from hpc_dl.jobspec.yaml_text import Path

_PLAIN = ConfigDict(strict=True, ser_json_inf_nan="constants")
_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


@dataclass(frozen=True)
class Called:
    """A class or a function that is called with options of a job spec."""

    function: Callable[..., Any]
    given: tuple[str, ...] = ()
    """Parameters that hpcdl gives by name, or that are decided otherwise."""
    by_place: int = 0
    """How many of the first parameters hpcdl gives by place."""

    @property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """The parameters that can be given by name."""
        every = inspect.signature(self.function).parameters.values()
        return {it.name: it for it in every if it.kind in _BY_NAME}

    @property
    def takes_all(self) -> bool:
        """True if it takes any name."""
        if getattr(self.function.__init__, "__qualname__", "") == "Module.__init__":
            return False  # that of `nn.Module`, which takes nothing
        every = inspect.signature(self.function).parameters.values()
        return any(it.kind == it.VAR_KEYWORD for it in every)

    def takes(self, name: str) -> bool:
        """Return whether it takes a parameter, itself or by `**kwargs` for a class that it is
        derived from."""
        if name in self.parameters or not self.takes_all:
            return name in self.parameters
        bases = self.function.__mro__[1:] if isinstance(self.function, type) else ()
        return any(
            name in inspect.signature(base.__init__).parameters  # type: ignore[misc]
            for base in bases
            if base is not object
        )

    def keywords(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return checked options as the annotations type them: a list as a tuple, say."""
        found = self._model().model_validate_json(json.dumps(dict(options)))
        return {name: getattr(found, name) for name in options}

    def check(self, key: str, part: Spec) -> list[Fault]:
        """Return what is wrong with the options of a part of a spec, which stands at `key`."""
        values, own, path = part.model_dump(mode="json"), type(part).model_fields, key.split(".")
        if taken := [it for it in values if it in self.given and it not in own]:
            return [_decided((*path, it)) for it in taken]
        parameters = list(self.parameters.items())[self.by_place :]
        if taken := [it for it, _ in parameters if it in own and it not in self.given]:
            return [_taken(str(values["name"]), (*path, it)) for it in taken]
        if unwritable := [
            _unwritable((*path, name), it.default)
            for name, it in parameters
            if name in values and name not in own and name[0] != "_" and not _is_option(it)
        ]:
            return unwritable
        root: type[BaseModel] = self._model(own)
        nested: Any = values
        for section in reversed(path):
            fields: dict[str, Any] = {section: (root, ...)}
            root, nested = create_model("Spec", **fields), {section: nested}
        try:
            root.model_validate_json(json.dumps(nested))
        except ValidationError as error:
            return find_faults(error, nested, root)
        return []

    def defaults(self, part: Spec) -> dict[str, Any]:
        """Return all checked options of a part of a spec, as plain values, with defaults."""
        own = set(type(part).model_fields)
        given = part.model_dump_json(exclude=own)
        return self._model().model_validate_json(given).model_dump(mode="json")

    def _model(self, own: Iterable[str] = ()) -> type[BaseModel]:
        """Return the options as a model; those that the spec has itself, `own`, may be anything."""
        hints = _hints(self.function)
        found: dict[str, Any] = dict.fromkeys(own, (Any, None))
        for name, it in list(self.parameters.items())[self.by_place :]:
            if name in self.given or name in found or not _is_option(it):
                continue
            default = ... if it.default is it.empty else it.default
            found[name] = (_annotation(hints.get(name, Any), default), default)
        extra: typing.Literal["allow", "forbid"] = "allow" if self.takes_all else "forbid"
        config = ConfigDict(extra=extra, **_PLAIN, protected_namespaces=())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of options called like methods of pydantic's
            return create_model("Options", __config__=config, **found)


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(
            function.__init__ if isinstance(function, type) else function  # type: ignore[misc]
        )
    except Exception:  # of names that are there for type checkers alone
        return {}


def _annotation(hint: Any, default: Any) -> Any:
    """Return an annotation as far as it says something of values in YAML, or Any. A default that is
    of another type, as in `size: int = None`, may be given, too."""
    try:
        taken = TypeAdapter(hint, config=_PLAIN)
    except (PydanticSchemaGenerationError, PydanticUserError):
        return Any
    try:
        if default is not ...:
            taken.validate_json(json.dumps(default))
    except ValidationError:
        return hint | type(default)
    return hint


def _is_option(parameter: inspect.Parameter) -> bool:
    """Return whether YAML can give a parameter: not where its default is, say, a class."""
    try:
        json.dumps(None if parameter.default is parameter.empty else parameter.default)
    except (TypeError, ValueError):
        return False
    return not parameter.name.startswith("_")


def _decided(path: Path) -> Fault:
    dotted = ".".join(map(str, path))
    message = f"{dotted} cannot be set: hpcdl gives it, or another option decides it"
    return Fault(path, message, "Leave it out.", of_key=True)


def _taken(function: str, path: Path) -> Fault:
    """Return the fault of a parameter that never gets a value from the spec."""
    dotted = ".".join(map(str, path))
    message = f"{function} has a parameter '{path[-1]}', but {dotted} is a key of hpcdl's own"
    return Fault(path, message, "It gets no value from the spec: call it otherwise.")


def _unwritable(path: Path, default: Any) -> Fault:
    dotted = ".".join(map(str, path))
    message = f"{dotted} cannot be set: its default is {default!r}, for which YAML has no word"
    hint = "Let the parameter be a name, such as `kind: str = 'ReLU'`, with which code chooses."
    return Fault(path, message, hint, of_key=True)
