"""Options of a user's network and data: how they are declared, and checked.

A network declares its options as a pydantic class within its own,

    class MyNet(Architecture):
        class Options(BaseModel):
            width: PositiveInt = 64

and they are then checked like those of a shipped one: types are strict, and other keys are refused.
Of a function that returns data, the names of the parameters are checked.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from hpc_dl.errors import UserError
from hpc_dl.jobspec.faults import Fault, find_faults, unknown_key
from hpc_dl.jobspec.model import Model, UserModel
from hpc_dl.jobspec.sources.user import UserData

_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def declared(network: type) -> type[UserModel] | None:
    """Return the options that the class of a network declares, or None without such.

    Raises UserError for an option whose name hpcdl needs.
    """
    options = getattr(network, "Options", None)
    if not (isinstance(options, type) and issubclass(options, BaseModel)):
        return None
    if taken := [
        name for name in options.model_fields if name != "name" and name in dir(UserModel)
    ]:
        raise UserError(f"{network.__name__}.Options: an option cannot be called {taken[0]}")
    closed = ConfigDict(extra=options.model_config.get("extra") or "forbid")
    body = {"__annotations__": {"name": str}, "__doc__": options.__doc__, "model_config": closed}
    return type("Options", (options, UserModel), body)


def typed(network: type, options: Model) -> Model:
    """Return the options as the network declares them, with defaults; as they are if it does not.

    Raises pydantic's ValidationError.
    """
    kind = declared(network)
    return options if kind is None else kind.model_validate_json(options.model_dump_json())


def check(network: type, options: UserModel) -> tuple[dict[str, Any], list[Fault]]:
    """Return the options with the defaults that a network declares, and what is wrong with them."""
    kind = declared(network)
    if kind is None:
        return {}, []
    values = {"model": options.model_dump(mode="json")}
    root = create_model("Spec", model=(kind, ...))
    try:
        found = root.model_validate_json(json.dumps(values))
    except ValidationError as error:
        return {}, find_faults(error, values, root)
    return found.model_dump(mode="json")["model"], []


RETURN_IT = "Return it by a function: def my_dataset(): return data"


def is_function(given: Any) -> bool:
    """Return whether something is called for data; a graph of torch_geometric can be called, but is
    data itself."""
    return callable(given) and not type(given).__module__.startswith("torch_geometric.")


def check_parameters(function: Callable[..., Any], source: UserData) -> list[Fault]:
    """Return which options of a source a user's function does not take, and which it lacks."""
    if not is_function(function):
        message = f"{source.name} is no function, but of type {type(function).__name__}"
        return [Fault(("data", "name"), message, RETURN_IT)]
    parameters, given = inspect.signature(function).parameters.values(), source.options
    named = {it.name: it for it in parameters if it.kind in _BY_NAME}
    takes_all = any(it.kind == it.VAR_KEYWORD for it in parameters)
    own = type(source).model_fields
    if taken := [it for it in named if it in own]:
        return [_taken(source.name, it) for it in taken]
    known = [*own, *named]
    unknown = [it for it in given if it not in named and not takes_all]
    missing = [it.name for it in named.values() if it.default is it.empty and it.name not in given]
    return [
        *(unknown_key(("data", it), known) for it in unknown),
        *(Fault(("data",), f"data.{it} is missing", of_key=True) for it in missing),
    ]


def _taken(function: str, name: str) -> Fault:
    """Return the fault of a parameter that never gets a value from the spec."""
    message = f"{function} has a parameter '{name}', but data.{name} is a key of every source"
    return Fault(("data", name), message, "It gets no value from the spec: call it otherwise.")
