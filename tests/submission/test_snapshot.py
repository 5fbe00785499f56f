"""A user's code: what a run gets a copy of, and what is refused before it waits in a queue."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from hpc_dl.cli import main
from hpc_dl.errors import UserError
from hpc_dl.submission import discovery, fork_trial, snapshot
from hpc_dl.submission.snapshot import Snapshot
from hpc_dl.user_code import MANIFEST, load_object
from tests.support.snapshots import taken, write
from tests.support.typed import QUICK, job_file, use_settings

pytestmark = pytest.mark.usefixtures("forked_check")

NET = """
import torch
from pathlib import Path
from hpc_dl.zoo.architectures.ffnn import FeedForward

class Net(FeedForward):
    def networks(self):
        return {"model": torch.nn.Linear(1, 1)}
"""
DATA = """
import torch
from pathlib import Path

def data(at=None):
    there = Path(at) if at else Path(__file__).with_name("size.txt")
    size = int(there.read_text())
    return {"train": {"image": torch.eye(2).expand(size, 1, 2, 2), "label": torch.arange(size) % 2}}
"""


def copied(found: Snapshot) -> set[str]:
    return set(found.files) - {MANIFEST}


ALL_KINDS = {
    "net.py": NET
    + """
import importlib, os, sys
from importlib import resources
sys.path.insert(0, os.path.join(os.path.dirname(__file__), "lib"))
sys.path.append("HERE/far")
from .beside import lin
import helpers, distant
from pkg.sub.deep import X
importlib.import_module("plug")
for plugin in sorted((Path(__file__).parent / "plugins").glob("*.py")):
    importlib.import_module(f"plugins.{plugin.stem}")
CLASSES = Path(__file__).with_name("classes.txt").read_text()

class Net(Net):
    def networks(self):
        import lazy
        assert resources.files("pkg").joinpath("words.txt").read_text() == "words"
        return {"model": lin(int((Path(__file__).parent / "width.txt").read_text()))}

    def loss(self, nets, batch, player):
        import later
        return open(Path(__file__).with_name("late.txt")).read()
""",
    "beside.py": "import torch\ndef lin(n): return torch.nn.Linear(n, n)",
    "lib/helpers.py": "import shared",
    "far/distant.py": "",
    "shared.py": "",
    "plug.py": "from beside import lin",
    "plugins/a.py": "",
    "plugins/b.py": "from . import a",
    "pkg/__init__.py": "",
    "pkg/words.txt": "words",
    "pkg/sub/__init__.py": "",
    "pkg/sub/deep.py": "X = 1",
    "pkg/never.py": "",
    "lazy.py": "",
    "later.py": "",
    "classes.txt": "a",
    "width.txt": "3",
    "late.txt": "late",
}


def test_what_is_imported_and_read_is_copied_and_suffices(tmp_path: Path) -> None:
    base = write(tmp_path / "base", {**ALL_KINDS, "unrelated.py": "", "unrelated.txt": ""})
    found = taken(base, model={"name": "net.py:Net"})
    assert copied(found) == set(ALL_KINDS)
    shutil.rmtree(base)
    found.copy_to(tmp_path / "run" / "code")
    net = load_object("net.py:Net", tmp_path / "run" / "code")
    assert net.networks(None)["model"].in_features == 3
    assert net.loss(None, None, None, None) == "late"


CASES: dict[str, tuple[dict[str, str], dict[str, Any], set[str], str]] = {
    "a package around the spec": (
        {"p/__init__.py": "", "p/net.py": "from p.a import b\nfrom . import c\n" + NET}
        | {"p/a.py": "b = 1", "p/c.py": "", "p/words.txt": ""},
        {"model": {"name": "p/net.py:Net"}},
        {"p/__init__.py", "p/net.py", "p/a.py", "p/c.py", "p/words.txt"},
        "p/net.py:Net",
    ),
    "a module by its import path": (
        {"p/__init__.py": "", "p/net.py": NET},
        {"model": {"name": "p.net:Net"}},
        {"p/__init__.py", "p/net.py"},
        "p.net:Net",
    ),
    "a module called like an installed one": (
        {"torch.py": NET, "random.py": "raise SystemExit"},
        {"model": {"name": "torch.py:Net"}},
        {"torch.py"},
        "torch.py:Net",
    ),
    "a folder for the data beside that of the code": (
        {"src/net.py": NET + "(Path(__file__).parents[1] / 'data' / 'c.txt').read_text()"}
        | {"data/c.txt": ""},
        {"model": {"name": "src/net.py:Net"}},
        {"src/net.py", "data/c.txt"},
        "src/net.py:Net",
    ),
    "a folder that the spec names": (
        {"jobs/net.py": "import helpers\n" + NET, "lib/helpers.py": "", "lib/deep/x.bin": "x"}
        | {"lib/.git/config": "", "lib/env/pyvenv.cfg": "", "lib/env/much.py": ""}
        | {"lib/.cache/a.json": ""},
        {"model": {"name": "jobs/net.py:Net"}, "code": ["lib"]},
        {"jobs/net.py", "lib/helpers.py", "lib/deep/x.bin"},
        "jobs/net.py:Net",
    ),
    "a namespace package": (
        {"net.py": "import parts.a\n" + NET, "parts/a.py": "from . import b", "parts/b.py": ""},
        {"model": {"name": "net.py:Net"}},
        {"net.py", "parts/a.py", "parts/b.py"},
        "net.py:Net",
    ),
    "modules that import each other, and one that may be missing": (
        {"net.py": "X = 1\ntry:\n  import nowhere\nexcept ImportError:\n  import a\n" + NET}
        | {"a.py": "from net import X"},
        {"model": {"name": "net.py:Net"}},
        {"net.py", "a.py"},
        "net.py:Net",
    ),
}


@pytest.mark.parametrize(("files", "sections", "expected", "name"), CASES.values(), ids=CASES)
def test_code_is_copied_as_it_lies(
    tmp_path: Path, files: dict[str, str], sections: dict[str, Any], expected: set[str], name: str
) -> None:
    found = taken(write(tmp_path / "base", files), **sections)
    assert copied(found) == expected
    assert found.sections.get("model", sections["model"])["name"] == name


def test_symbolic_links_are_followed_where_they_are(tmp_path: Path) -> None:
    base = write(tmp_path / "base", {"net.py": "import linked, beside\n" + NET, "beside.py": ""})
    target = write(tmp_path / "shared", {"x.py": "Y = 1"}) / "x.py"
    (base / "linked.py").symlink_to(target)
    found = taken(base, model={"name": "net.py:Net"})
    assert copied(found) == {"net.py", "linked.py", "beside.py"}
    assert found.folder is not None
    assert not (found.folder / "linked.py").is_symlink()


def test_folders_of_pythonpath_are_the_users_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, {"lib/helpers.py": "import more", "lib/more.py": ""})
    write(tmp_path, {"base/net.py": "import helpers\n" + NET})
    monkeypatch.syspath_prepend(str(tmp_path / "lib"))
    found = taken(tmp_path / "base", model={"name": "net.py:Net"})
    assert copied(found) == {"base/net.py", "lib/helpers.py", "lib/more.py"}


def test_model_and_data_may_have_modules_of_the_same_name(tmp_path: Path) -> None:
    files = {"a/own.py": "from layers import A\n" + NET, "a/layers.py": "A = 1"}
    files |= {"b/own.py": "from layers import B\n" + DATA, "b/layers.py": "B = 1"}
    base = write(tmp_path / "base", {**files, "b/size.txt": "40"})
    found = taken(base, model={"name": "a/own.py:Net"}, data={"name": "b/own.py:data"})
    assert copied(found) == {*files, "b/size.txt"}
    assert found.facts is not None
    assert found.facts.train == 32


def test_data_by_an_absolute_path_stay_where_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "DATA_BYTES", 3)
    base = write(tmp_path / "base", {"own.py": DATA, "large/size.txt": "4000"})
    found = taken(base, data={"name": "own.py:data", "at": str(base / "large" / "size.txt")})
    assert copied(found) == {"own.py"}
    assert "like " + str(base / "large" / "size.txt") in found.notes[0]
    (base / "size.txt").write_text("4000")
    with pytest.raises(UserError, match=r"own\.py:7: FileNotFoundError: .*size\.txt"):
        taken(base, data={"name": "own.py:data"})
    found = taken(base, data={"name": "own.py:data"}, code=["size.txt"])
    assert copied(found) == {"own.py", "size.txt"}


REFUSED = {
    "a module that is nowhere": ("import nowhere.x", r"net\.py:1: .*No module named 'nowhere'"),
    "a neighbour that is nowhere": ("from .no import x", r"net\.py:1: .*No module named 'no'"),
    "a name that a neighbour has not": ("from a import x", r"net\.py:1: .*'x' from 'a'"),
    "an error in a neighbour": ("import b", r"b\.py:1: ZeroDivisionError"),
    "a syntax error in a neighbour": ("import c", r"c\.py:1: .*(invalid|was never closed)"),
    "a file beside the working directory": (
        "open('a.py')\n" + NET,
        r"net\.py:1: FileNotFoundError.*'a.py'",
    ),
    "a file by its old path": (
        "open('HERE/a.py')\n" + NET,
        r"net\.py:1: it reads .*/a\.py, of which",
    ),
    "an end of the program": ("raise SystemExit(3)", r"net\.py:1: it ends the program: .*\(3\)"),
    "an end of the process": ("import os; os._exit(3)", r"net\.py ended its process \(exit code 3"),
    "a question": ("input()", r"net\.py:1: EOFError"),
    "a hang": ("import time; time.sleep(60)", r"net\.py:1: it took more than 1 s"),
    "no class": ("", r"net\.py defines no 'Net'"),
    "no architecture": ("class Net: pass", r"net\.py:Net is no class of networks"),
    "no networks": (
        "from hpc_dl.zoo.contract import Architecture\nclass Net(Architecture): pass",
        r"net\.py:Net has no method networks",
    ),
    "an option that is not given": (
        NET + "    def networks(self): return self.options.width",
        r"net\.py:9: AttributeError: .*'width'",
    ),
    "a file that the networks are built of": (
        NET + "    def networks(self): open('a.py')",
        r"net\.py:9: FileNotFoundError: .*'a\.py'",
    ),
}


@pytest.mark.parametrize(("text", "said"), REFUSED.values(), ids=REFUSED)
def test_what_would_fail_on_a_node_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    others = {"a.py": "", "b.py": "1 / 0", "c.py": "def ("}
    base = write(tmp_path / "base", {"net.py": text, **others})
    monkeypatch.chdir(base)
    monkeypatch.setattr(snapshot, "SECONDS", 1.0 if "sleep" in text else 60.0)
    with pytest.raises(UserError, match=said) as caught:
        taken(base, model={"name": "net.py:Net"})
    assert "hpcdl_code" not in str(caught.value)
    assert "hpcdl-code" not in str(caught.value)


def test_data_that_differ_from_a_copy_of_their_code_are_refused(tmp_path: Path) -> None:
    text = DATA.replace(
        "int(there.read_text())", "40 if Path(__file__).with_suffix('').is_dir() else 20"
    )
    base = write(tmp_path / "base", {"own.py": text, "own/x": ""})
    with pytest.raises(UserError, match=r"data\.name: from a copy of its code it returns other"):
        taken(base, data={"name": "own.py:data"})


def test_more_code_than_a_run_should_hold_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "CODE_BYTES", 1000)
    base = write(tmp_path / "base", {"net.py": NET, "data/much.bin": "x" * 2000})
    with pytest.raises(UserError, match=r"each run gets a copy; the largest file is .*much\.bin"):
        taken(base, model={"name": "net.py:Net"}, code=["data"])


def test_what_the_spec_names_but_is_not_there_is_shown_in_the_spec(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use_settings(monkeypatch, tmp_path)
    file = job_file(tmp_path, QUICK + "code: [nowhere]\n")
    assert main(["submit", file, "--local", "--dry-run=plan"]) == 2
    said = capsys.readouterr().err
    assert f"job.yaml:{len(QUICK.splitlines()) + 1}:" in said
    assert f"there is no {tmp_path / 'nowhere'}" in said


def test_a_spec_without_own_code_starts_no_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "_check", None)
    assert taken(tmp_path) == Snapshot()


def test_a_file_that_the_code_writes_is_no_part_of_it(tmp_path: Path) -> None:
    text = NET + "Path(__file__).with_name('cache.bin').write_text('x')"
    found = taken(write(tmp_path / "base", {"net.py": text}), model={"name": "net.py:Net"})
    assert copied(found) == {"net.py"}
    found.copy_to(tmp_path / "code")
    before = snapshot.digests(tmp_path / "code")
    load_object("net.py:Net", tmp_path / "code")
    assert snapshot.digests(tmp_path / "code") == before


@pytest.mark.parametrize("cache", [".cache/matplotlib", "fonts/matplotlib", "pkg/__pycache__"])
def test_a_librarys_cache_beside_the_code_is_no_part_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: str
) -> None:
    base = write(tmp_path / ".base", {f"{cache}/fontlist.json": "", "pkg/__init__.py": ""})
    monkeypatch.setenv("MPLCONFIGDIR", str(base / "fonts" / "matplotlib"))
    folder = base / cache
    text = f"import os, pkg\nos.listdir({str(folder)!r})\nopen({str(folder / 'fontlist.json')!r})\n"
    write(base, {"net.py": text + NET})
    assert copied(taken(base, model={"name": "net.py:Net"})) == {"net.py", "pkg/__init__.py"}


def test_the_check_is_a_process_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is really started: output, arguments and what is left do not matter."""
    monkeypatch.undo()
    text = "print('loading')\nimport threading, time, sys\nprint(sys.argv, file=sys.stderr)\n"
    text += "threading.Thread(target=time.sleep, args=(600,)).start()\n"
    found = taken(write(tmp_path, {"net.py": text + NET}), model={"name": "net.py:Net"})
    assert copied(found) == {"net.py"}
    assert fork_trial.GRACE < snapshot.SECONDS


@pytest.mark.parametrize("lazy", [False, True], ids=["at import", "when called"])
def test_two_exports_may_have_modules_of_the_same_names(tmp_path: Path, lazy: bool) -> None:
    body = "import layers, importlib\n" if not lazy else ""
    inner = "    import layers, importlib\n" if lazy else ""
    text = f"{body}def name():\n{inner}"
    text += "    return layers.NAME, importlib.import_module('layers').NAME\n"
    for name in ("a", "b"):
        write(tmp_path / name, {"net.py": text, "layers.py": f"NAME = '{name}'"})
    first, second = (load_object("net.py:name", tmp_path / name) for name in ("a", "b"))
    assert (first(), second(), first()) == (("a", "a"), ("b", "b"), ("a", "a"))
    assert load_object("net.py:name", tmp_path / "a") is first
    (tmp_path / "a" / "layers.py").write_text("NAME = 'changed'")
    assert load_object("net.py:name", tmp_path / "a")() == ("changed", "changed")
