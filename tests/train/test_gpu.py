"""The checks of `tests.gpu_check` as tests, by name; skipped where torch sees no GPU."""

import pytest

from tests.gpu import machine, report


@pytest.mark.gpu
@pytest.mark.skipif(not machine.has_gpus(), reason="torch sees no GPU")
@pytest.mark.parametrize("name", report.CHECKS)
def test_on_a_gpu(name, tmp_path):
    try:
        report.CHECKS[name](tmp_path)
    except machine.Skipped as reason:
        pytest.skip(str(reason))
