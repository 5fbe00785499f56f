"""The page on growth shows what was measured, and each of its lines can be measured again."""

import json

import pytest

from benchmarks.growth import measure, page
from benchmarks.growth.lines import LINES

RESULTS = json.loads(page.RESULTS.read_text())


def test_the_page_is_made_from_the_committed_results() -> None:
    assert page.SECTION.read() == page.section(RESULTS)
    assert set(RESULTS["lines"]) <= set(LINES)


FASTER = ("transformer", "ranks")
"""With the square of the length; and by what ranks send to each other. The page says why."""


@pytest.mark.parametrize("name", [it for it in RESULTS["lines"] if it not in FASTER])
def test_nothing_grows_much_faster_than_its_size(name: str) -> None:
    assert page.exponent(LINES[name], RESULTS["lines"][name]) < 1.3


def test_work_is_measured_by_its_processor_time_and_memory() -> None:
    found = measure.measured(LINES["resident"], 1000)
    assert found["size"] == 1000
    assert 0 < found["seconds"] < 1
    assert 0 <= found["mebibytes"] < 100
