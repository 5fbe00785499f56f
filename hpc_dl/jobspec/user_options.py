"""Options of a user's network and data: how they are declared, and checked.

A network declares its options as a pydantic class within its own,

    class MyNet(Architecture):
        class Options(BaseModel):
            width: PositiveInt = 64

and they are then checked like those of a shipped one: types are strict, and other keys are refused.
Of a function that returns data, the parameters are checked by its signature.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from hpc_dl.errors import UserError
from hpc_dl.jobspec.faults import Fault, find_faults
from hpc_dl.jobspec.model import Model, UserModel
from hpc_dl.jobspec.signatures import Called
from hpc_dl.jobspec.sources.user import UserData


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
    """Return what is wrong with the options of a source, which a user's function takes."""
    if not is_function(function):
        message = f"{source.name} is no function, but of type {type(function).__name__}"
        return [Fault(("data", "name"), message, RETURN_IT)]
    return Called(function).check("data", source)
