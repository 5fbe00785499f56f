"""One copy of hpcdl for the runs of all tests of a process, not one in each folder of runs."""

from collections.abc import Iterator

import pytest

from hpc_dl.submission import hpcdl_code

own_store = hpcdl_code.store


@pytest.fixture(autouse=True, scope="session")
def shared_code(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.getbasetemp() / "hpcdl-code"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hpcdl_code, "store", lambda root: folder)
        yield
