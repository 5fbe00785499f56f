"""`python -m hpc_dl.data.describe CODE`: a user's own source comes in, its facts go out.

A process of its own, so that the login node's command need not import torch.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

from hpc_dl.data import own
from hpc_dl.errors import UserError
from hpc_dl.spec.data import OwnData


def main() -> None:
    source = OwnData.model_validate_json(sys.stdin.read())
    try:
        facts = own.load(source, Path(sys.argv[1]), seed=0).facts
    except UserError as error:
        sys.exit(str(error))
    sys.stdout.write(json.dumps(dataclasses.asdict(facts)) + "\n")


if __name__ == "__main__":
    main()
