"""Sites: which one is meant, what wins over what, and where paths lead."""

from pathlib import Path

import pytest

from hpc_dl.errors import UserError
from hpc_dl.planning import site


@pytest.fixture
def config(tmp_path, monkeypatch):
    """The user's config folder."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    folder = tmp_path / "hpcdl"
    folder.mkdir()
    return folder


def test_without_a_word_it_is_the_generic_site_or_the_users_own(config):
    assert site.load(None, {}).name == "generic"
    (config / "site.yaml").write_text("name: mine\n")
    assert site.load(None, {}).name == "mine"


def test_a_site_is_chosen_by_argument_before_the_environment(config, tmp_path):
    (config / "alps.yaml").write_text("name: alps\n")
    other = tmp_path / "other.yaml"
    other.write_text("name: other\n")
    assert site.load("alps", {"HPCDL_SITE": "test-cluster"}).name == "alps"
    assert site.load(None, {"HPCDL_SITE": "test-cluster"}).name == "test-cluster"
    assert site.load(str(other), {}).name == "other"


def test_the_environment_wins_over_the_sites_file(config):
    (config / "site.yaml").write_text("name: mine\nrun_root: /a\ntracking_uri: http://a\n")
    assert site.load(None, {}).run_root == "/a"
    environment = {
        "HPCDL_RUN_ROOT": "/b",
        "HPCDL_DATA": "/c",
        "MLFLOW_TRACKING_URI": "http://b",
    }
    found = site.load(None, environment)
    assert (found.run_root, found.data_root, found.tracking_uri) == ("/b", "/c", "http://b")


def test_a_site_that_is_not_there_is_said_with_those_that_are(config):
    with pytest.raises(UserError, match="there is no site 'alsp'") as caught:
        site.load("alsp", {})
    assert "generic" in caught.value.hint
    assert str(config) in caught.value.hint


def test_a_malformed_site_is_shown_with_its_place(config):
    (config / "site.yaml").write_text("name: mine\npartitons: {}\n")
    with pytest.raises(UserError) as caught:
        site.load(None, {})
    assert "site.yaml:2:1: unknown key 'partitons'; did you mean 'partitions'?" in str(caught.value)


@pytest.mark.parametrize("name", ["=ib0", "^docker", "ib0; rm x", "ib 0"])
def test_a_network_interface_is_a_name_that_nccl_and_gloo_both_take(config, name):
    (config / "site.yaml").write_text(f"name: mine\nnetwork_interface: {name!r}\n")
    with pytest.raises(UserError, match=r"site.yaml:2:\d+: network_interface"):
        site.load(None, {})


@pytest.mark.parametrize(
    "text, path",
    [
        ("/a/b", "/a/b"),
        ("$HOME/x", "/home/me/x"),
        ("${SCRATCH}/x", "/scratch/x"),
        ("${NOTHING:-/tmp}/x", "/tmp/x"),
        ("${NOTHING:-$HOME}/x", "/home/me/x"),
        ("${EMPTY:-/otherwise}", "/otherwise"),
        ("${NOTHING:-${ALSO:-$SCRATCH/y}}/x", "/scratch/y/x"),
    ],
)
def test_paths_are_filled_in(text, path):
    environment = {"HOME": "/home/me", "SCRATCH": "/scratch", "EMPTY": ""}
    assert site.expand(text, environment) == Path(path)


def test_a_variable_that_is_not_set_is_named():
    with pytest.raises(UserError, match=r"needs \$SCRATCH, which is not set"):
        site.expand("$SCRATCH/runs", {})


def test_the_shipped_sites_are_all_readable():
    names = {path.stem for path in site.SHIPPED.glob("*.yaml")}
    assert {"generic", "test-cluster"} <= names
    for name in names:
        assert site.load(name, {}).name == name
