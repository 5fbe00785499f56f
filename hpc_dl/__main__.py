"""`python -m hpc_dl` is `hpcdl`."""

from hpc_dl.cli import main

raise SystemExit(main())
