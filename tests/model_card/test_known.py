"""The name of the data on a model card is one that a reader can look for."""

from types import SimpleNamespace

import pytest

from hpc_dl.jobspec.job import JobSpec
from hpc_dl.model_card.known import Known
from tests.support.running import QUICK

NAMES = [
    ({"name": "digits"}, "digits"),
    ({"name": "mnist", "root": "/staged/here"}, "mnist"),
    ({"name": "csv", "path": "/home/me/wine.csv", "target": "class"}, "wine.csv"),
    ({"name": "image_folder", "root": "pets", "size": [8, 8]}, "pets"),
]


@pytest.mark.parametrize(("data", "name"), NAMES, ids=[name for _, name in NAMES])
def test_a_users_own_data_are_called_by_their_file(data, name):
    spec = JobSpec.model_validate({**QUICK, "data": data})
    assert Known.data_name.fget(SimpleNamespace(spec=spec)) == name


def test_the_hpcdl_of_a_resumed_run_is_that_of_its_newest_submission():
    first, second = {"digest": "a"}, {"digest": "b"}
    for noted, found in (
        ({"hpcdl": first}, first),
        ({"hpcdl": first, "resumed": [{"hpcdl": first}, {"hpcdl": second}]}, second),
        ({"resumed": "damaged"}, {}),
    ):
        assert Known.hpcdl.fget(SimpleNamespace(provenance=noted)) == found
