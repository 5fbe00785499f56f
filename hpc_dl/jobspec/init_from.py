"""Options of a warm start: with which weights a training begins, and what becomes of them."""

from __future__ import annotations

import os
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, create_model

from hpc_dl.jobspec.base import Spec

_ENDINGS = (".safetensors", ".pt", ".pth")
_SOURCE: Any = {  # `from` is a word of Python's, and so no name in a class
    "from": (
        str,
        Field(
            min_length=1,
            description="a run; the folder of a run, an export, a checkpoint or an MLflow model; "
            "a file of a state dict; runs:/RUN_ID/model or models:/NAME@ALIAS",
        ),
    )
}


class InitFrom(create_model("From", __base__=Spec, **_SOURCE)):  # type: ignore[misc]
    """Where the first weights come from, and which of them are taken, frozen or trained slowly.
    Patterns are those of file names (`network.layer1.*`), of the names in the network's state
    dict."""

    only: list[str] = Field([], description="patterns of what is taken; all if empty")
    freeze: list[str] = Field(
        [],
        description="patterns of what stays, of all that is taken, as it is; statistics of batch "
        "norm too",
    )
    lr_scale: Annotated[float, Field(gt=0)] = Field(
        1.0, description="factor of the learning rate of what is taken"
    )

    @property
    def source(self) -> str:
        """The option `from`."""
        return str(getattr(self, "from"))

    @property
    def is_path(self) -> bool:
        """True if `from` is a file or a folder; a bare name is that of a run."""
        word = self.source
        if word.startswith(("runs:/", "models:/")):
            return False
        return os.sep in word or word in (".", "..", "~") or word.endswith(_ENDINGS)


def _of_word(value: Any) -> Any:
    return value if value is None or isinstance(value, dict | InitFrom) else {"from": value}


BeginsWith = Annotated[
    InitFrom | None, BeforeValidator(_of_word, json_schema_input_type=str | InitFrom | None)
]
"""`init_from: RUN`, or a mapping with options."""
