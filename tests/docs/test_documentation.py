"""The documentation names only what exists, and the generated page is up to date."""

import pkgutil
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from hpc_dl.scheduler.base import Scheduler
from tests.support import unusual_data

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
PATH = re.compile(
    r"\b((?:hpc_dl|tests|jobs|slurm|docs)/[\w./-]*\w/?)(?::([A-Za-z_][\w.]*))?(?![\w<*])"
)
DOTTED = re.compile(r"\b(?:hpc_dl|tests)(?:\.[A-Za-z_]\w*)+")
GROUPS = re.compile(r"\bhpc_dl\.(?:architectures|sources|tasks|schedulers)\b(?!\.)")
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_path_and_name_exists(page):
    text = page.read_text()
    missing = [path for path in _paths(text) if not _exists(*path)]
    missing += [name for name in DOTTED.findall(GROUPS.sub("", text)) if not _resolves(name)]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_leads_to_a_file(page):
    missing = [it for it in LINK.findall(page.read_text()) if not (page.parent / it).exists()]
    assert missing == []


def test_the_page_of_options_is_that_of_the_models():
    script = runpy.run_path(str(ROOT / "docs" / "generate.py"))
    is_up_to_date = script["FILE"].read_text() == script["page"]()
    assert is_up_to_date, "run `python docs/generate.py`"


def test_the_page_of_unusual_data_is_that_of_the_cases():
    is_up_to_date = unusual_data.PAGE.read_text() == unusual_data.page()
    assert is_up_to_date, "run `python -m tests.support.unusual_data`"


def test_every_room_is_in_the_documentation():
    rooms = {f"hpc_dl/{path.parent.name}/" for path in ROOT.glob("hpc_dl/*/__init__.py")}
    modules = {f"hpc_dl/{path.name}" for path in ROOT.glob("hpc_dl/[!_]*.py")}
    text = (ROOT / "docs" / "architecture.md").read_text()
    assert sorted(name for name in rooms | modules if f"`{name}`" not in text) == []


def test_the_table_of_a_new_scheduler_has_every_method_that_it_needs():
    table = (ROOT / "docs" / "extending.md").read_text().partition("For PBS:")[2]
    rows = re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)
    assert set(rows) == Scheduler.__abstractmethods__


@pytest.mark.slow
def test_the_site_is_built_without_warnings(tmp_path):
    pytest.importorskip("mkdocs")
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(tmp_path)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "job-spec" / "index.html").exists()


def _paths(text):
    return [match for match in PATH.findall(text) if "NAME" not in match[0]]


def _exists(path, name):
    if not (ROOT / path).exists():
        return False
    return not name or _resolves(f"{path.removesuffix('.py').replace('/', '.')}:{name}")


def _resolves(name):
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        return False
    return True
