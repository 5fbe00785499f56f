"""`python -m hpc_dl` is `hpcdl`."""

import os
import sys

# `python -m` looks for modules in the working folder first, where a user's random.py would hide
# Python's own.
working_folder = None if sys.flags.safe_path else sys.path.pop(0)

from pathlib import Path  # noqa: E402

checkout = str(Path(__file__).absolute().parents[1])
if working_folder == checkout and checkout not in sys.path:  # it may not be installed
    sys.path.append(checkout)
    others = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [others, checkout]))

from hpc_dl.cli import main  # noqa: E402

raise SystemExit(main())
