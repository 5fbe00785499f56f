"""Extras that are not installed are named with the command that installs them."""

import pytest

from hpc_dl.errors import UserError
from hpc_dl.installed import require


def test_a_missing_extra_is_named_with_pips_command():
    with pytest.raises(UserError) as raised:
        require("absent.codec", "audio", "data.path: x.flac")
    assert (
        raised.value.message == "data.path: x.flac needs the package absent, which is not installed"
    )
    assert raised.value.hint == "pip install 'hpcdl[audio]'"
