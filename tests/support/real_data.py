"""Real data sets, in the folder that HPCDL_DATA names; their tests are skipped without it."""

import os
from pathlib import Path

import pytest

ROOT = Path(os.environ.get("HPCDL_DATA", "missing"))


def needs(name: str) -> pytest.MarkDecorator:
    """Skip a test where a data set is not there."""
    return pytest.mark.skipif(not (ROOT / name).is_dir(), reason=f"needs {name} in $HPCDL_DATA")
