"""Former names of attributes, which a user's code in an old run folder still uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar


class FormerNames:
    """Mixin of classes whose attributes have been renamed: each is there under both names."""

    former_names: ClassVar[Mapping[str, str]] = {}
    """Former name → name."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Give what a class defines under one of two names the other one too."""
        super().__init_subclass__(**options)
        defined = dict(vars(cls))
        for former, name in cls.former_names.items():
            if name in defined:
                setattr(cls, former, defined[name])
            elif former in defined:
                setattr(cls, name, defined[former])
