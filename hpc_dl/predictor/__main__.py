"""Print what is predicted of a table, as CSV: `python -m hpc_dl.predictor EXPORT TABLE`."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections.abc import Sequence

from hpc_dl.errors import UserError
from hpc_dl.predictor import load
from hpc_dl.predictor.answers import by_name


def main(arguments: Sequence[str] | None = None) -> int:
    parser = ArgumentParser(prog="python -m hpc_dl.predictor", description=__doc__)
    parser.add_argument("export", help="the folder `export` of a completed run")
    parser.add_argument("table", help="a csv or parquet file of rows like those trained on")
    asked = parser.parse_args(arguments)
    try:
        predictor = load(asked.export)
        answers = by_name(predictor.predict(asked.table), predictor.architecture.facts)
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    sys.stdout.write(answers.to_csv(index=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
