"""Parts of a spec of which a `name` chooses the options."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Union

from pydantic import Discriminator, GetJsonSchemaHandler, Tag, TypeAdapter
from pydantic_core import CoreSchema, core_schema

from hpc_dl.jobspec.base import Spec, tag_by_name


class Choice:
    """Metadata of an annotation: the value is checked by the options that its `name` chooses.

    It is what pydantic's union of all of them with a discriminator does; but the others, of which
    there are many, are neither imported nor built.
    """

    def __init__(self, options: Mapping[str, type[Spec]]) -> None:
        self._options = options

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return handler(self._union.core_schema)

    def all(self) -> Iterator[type[Spec]]:
        """Yield all options, once a name."""
        yield from self._options.values()

    def find(self, value: Any) -> type[Spec] | None:
        """Return the options that a value's `name` chooses; None if there are none."""
        tag = tag_by_name(value)
        return None if tag is None else self._options.get(tag)

    def _validate(self, value: Any) -> Any:
        chosen = self.find(value)
        return chosen.model_validate(value) if chosen else self._union.validate_python(value)

    @functools.cached_property
    def _union(self) -> TypeAdapter[Any]:
        members = tuple(Annotated[it, Tag(name)] for name, it in self._options.items())
        union: Any = Union[members]  # noqa: UP007  made of a table
        return TypeAdapter(Annotated[union, Discriminator(tag_by_name)])


def by_name(options: Mapping[str, type[Spec]]) -> Any:
    """Return the type of options of which `name` chooses one."""
    return Annotated[Spec, Choice(options)]
