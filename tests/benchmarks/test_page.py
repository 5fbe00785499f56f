"""The README's section on speed is that of the committed results."""

import json

import pytest

from benchmarks import forecast, page, search
from benchmarks.workloads import CONTENDERS, EVALUATION, HAND, HPCDL, WORKLOADS


def test_the_readme_says_what_was_measured():
    assert page.SECTION.read() == page.section(page.read())


def test_the_chart_is_drawn_of_any_results(tmp_path):
    page.draw(page.read(), tmp_path / "speed.svg")
    assert "</svg>" in (tmp_path / "speed.svg").read_text()


def test_what_was_measured_is_what_there_is_to_measure():
    known = {EVALUATION: {HPCDL, HAND}, **{it.name: set(it.contenders) for it in WORKLOADS}}
    for it in page.read()["workloads"]:
        assert set(it["contenders"]) <= known[it["name"]] <= set(CONTENDERS)


@pytest.mark.parametrize("module", [forecast, search])
def test_a_page_says_what_was_measured(module):
    results = json.loads(module.RESULTS.read_text(encoding="utf-8"))
    assert module.SECTION.read() == module.section(results)
