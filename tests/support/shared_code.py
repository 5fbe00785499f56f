"""One copy of hpcdl for the runs of all tests of a process, not one in each folder of runs."""

from collections.abc import Iterator

import pytest

from hpc_dl.submission import hpcdl_code

ITSELF = {name: getattr(hpcdl_code, name) for name in ("store", "unreferenced")}
"""What is patched, for the tests of it."""


@pytest.fixture(autouse=True, scope="session")
def shared_code(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.getbasetemp() / "hpcdl-code"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hpcdl_code, "store", lambda root: folder)
        patch.setattr(hpcdl_code, "unreferenced", lambda root: [])
        yield
