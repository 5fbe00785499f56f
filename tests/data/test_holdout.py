"""Which examples are held out: a function of `data.split_seed`, by groups and in folds."""

from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pandas
import pytest
import torch
from PIL import Image

from hpc_dl.cli import data_rows
from hpc_dl.cli.preview import Preview
from hpc_dl.cli.show_plan import rows
from hpc_dl.data import describe
from hpc_dl.data.splits.counts import Holdout, split_counts
from hpc_dl.data.splits.holdout import positions
from hpc_dl.errors import UserError
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.load import load
from hpc_dl.jobspec.sources.arrays import Hdf5, Npz
from hpc_dl.jobspec.sources.digits import Digits
from hpc_dl.jobspec.sources.image_folder import ImageFolder
from hpc_dl.jobspec.sources.tables import Csv
from hpc_dl.jobspec.sources.user import UserData
from hpc_dl.jobspec.spec_file import SpecError
from hpc_dl.planning.site import Site
from hpc_dl.run.layout import read_json
from hpc_dl.scheduler.local.scheduler import Local
from tests.support import reading
from tests.support.running import new_run

SPLITS = ["validation", "test"]
FIRST_TEST = [5, 16, 34, 44, 53, 61, 67, 73, 75, 98]
"""With seed 0, of a hundred examples; another one here would change every user's test split."""
PATIENTS = np.repeat(np.arange(20), 5)
"""Of a hundred examples."""


def held(holdout, groups=None, count=100, missing=SPLITS):
    """The positions of each split, which together have to be all."""
    found = positions(count, missing, holdout, groups)
    assert sorted(np.concatenate(list(found.values()))) == list(range(count))
    return found


# ---- the rule


def test_the_split_seed_alone_draws_and_a_share_of_validation_leaves_the_test_as_it_is():
    first = held(Holdout(seed=1))
    assert [len(it) for it in first.values()] == [80, 10, 10]
    assert all(np.array_equal(it, first[name]) for name, it in held(Holdout(seed=1)).items())
    assert set(held(Holdout(seed=2))["test"]) != set(first["test"])
    assert np.array_equal(held(Holdout(validation=0.4, seed=1))["test"], first["test"])


def test_the_test_split_of_a_seed_is_the_same_for_ever():
    assert sorted(held(Holdout())["test"]) == FIRST_TEST


def test_what_belongs_together_is_on_one_side():
    for seed in range(5):
        found = held(Holdout(seed=seed), PATIENTS)
        assert [len(it) for it in found.values()] == [80, 10, 10]
        of_split = [set(PATIENTS[it]) for it in found.values()]
        assert sum(map(len, of_split)) == 20


def test_a_group_that_is_too_large_is_trained_on_and_one_is_always_held_out():
    large = np.concatenate([np.zeros(700, int), np.arange(1, 301)])
    for seed in range(5):
        found = held(Holdout(seed=seed), large, 1000)
        assert [len(it) for it in found.values()] == [800, 100, 100]
    three = np.repeat([0, 1, 2], [30, 40, 30])
    assert sorted(map(len, held(Holdout(), three).values())) == [30, 30, 40]


@pytest.mark.parametrize("groups", [None, PATIENTS], ids=["examples", "groups"])
@pytest.mark.parametrize("folds", [3, 5, 20])
def test_every_example_is_in_the_test_of_exactly_one_fold(groups, folds):
    tests = []
    for fold in range(folds):
        found = held(Holdout(folds=folds, fold=fold), groups)
        tests.append(found["test"])
        if groups is not None:
            assert sum(len(set(groups[it])) for it in found.values()) == 20
    assert sorted(np.concatenate(tests)) == list(range(100))
    sizes = list(map(len, tests))
    assert max(sizes) - min(sizes) <= (1 if groups is None else 5)


def test_more_folds_than_groups_are_refused():
    with pytest.raises(UserError, match=r"data\.folds: 21 folds of 20 groups"):
        held(Holdout(folds=21), PATIENTS)


def test_more_folds_than_examples_are_refused_for_some_would_test_nothing():
    with pytest.raises(UserError, match=r"data\.folds: 20 folds of 10 examples"):
        split_counts({"train": 10}, Holdout(folds=20, fold=15))
    assert split_counts({"train": 10}, Holdout(folds=10, fold=9)) == (8, 1, 1)


@pytest.mark.parametrize("folds", [None, 2])
def test_groups_that_are_too_few_are_refused_with_their_number_and_size(folds):
    two = np.arange(50) % 2
    with pytest.raises(UserError, match="none is left to train on") as refused:
        split_counts({"train": 50}, Holdout(folds=folds), two)
    assert "there are 2, the largest of 25 examples" in refused.value.hint
    assert "make 3 groups or more" in refused.value.hint
    with pytest.raises(UserError, match="none is left to train on"):
        split_counts({"train": 50}, Holdout(), np.zeros(50, int))


@pytest.mark.parametrize("groups", [None, PATIENTS, PATIENTS % 7], ids=["none", "equal", "other"])
@pytest.mark.parametrize("there", [["train"], ["train", "test"], ["train", "validation"]])
@pytest.mark.parametrize("parts", [None, 4])
def test_the_login_node_counts_what_the_compute_node_divides(groups, there, parts):
    folds = None if "test" in there else parts
    holdout = Holdout(0.15, 0.25, seed=4, folds=folds, fold=1)
    missing = [name for name in SPLITS if name not in there]
    counts = split_counts({**dict.fromkeys(there, 7), "train": 100}, holdout, groups)
    found = held(holdout, groups, missing=missing)
    assert list(counts) == [len(found.get(name, range(7))) for name in ("train", *SPLITS)]


# ---- sources


def counted(splits):
    """The examples of each class in each split."""
    parts = {"train": splits.train, "validation": splits.validation, "test": splits.test}
    most = len(splits.facts.classes)
    return {
        name: tuple(torch.bincount(it.tensors["label"], minlength=most).tolist())
        for name, it in parts.items()
    }


def check(source, tmp_path, members):
    """Load a source of 60 examples in 12 groups; `members` gives those of numbers of examples."""
    splits = reading.load(source, tmp_path, tmp_path)
    if not isinstance(source, UserData):  # which is asked in the same way, in a process of its own
        assert splits.facts == reading.describe(source, tmp_path)
    assert splits.facts.groups == 12
    parts = [splits.train, splits.validation, splits.test]
    assert all(set(it.tensors["label"].tolist()) == {0, 1} for it in parts)
    assert counted(splits) == splits.facts.class_counts
    assert all("group" not in it.batch(torch.arange(2)) for it in parts)
    assert sum(len({members[n] for n in it.index.tolist()}) for it in parts) == 12


def table(patients):
    number = np.arange(len(patients))
    return pandas.DataFrame({"x": number / 2, "who": patients, "y": number % 2})


WHO = [f"p{number % 12:02d}" for number in range(60)]


def test_rows_of_a_table_stay_together_by_a_column_that_is_no_input(tmp_path):
    table(WHO).to_csv(tmp_path / "t.csv", index=False)
    source = Csv(name="csv", path=str(tmp_path / "t.csv"), target="y", groups="who")
    check(source, tmp_path, WHO)
    assert reading.describe(source, tmp_path).columns == ("x",)
    absent = source.model_copy(update={"groups": "whom"})
    with pytest.raises(UserError, match=r"data\.groups: .* has no column 'whom'"):
        reading.describe(absent, tmp_path)


def test_a_group_in_a_test_file_too_is_refused(tmp_path):
    table(WHO).to_csv(tmp_path / "t.csv", index=False)
    table(["p11", "q0"]).to_csv(tmp_path / "test.csv", index=False)
    files = {"path": str(tmp_path / "t.csv"), "test_path": str(tmp_path / "test.csv")}
    source = Csv(name="csv", target="y", groups="who", **files)
    with pytest.raises(UserError, match="1 group is both in train and in test, like 'p11'"):
        reading.describe(source, tmp_path)
    folded = Csv(name="csv", target="y", folds=3, fold=0, **files)
    with pytest.raises(UserError, match=r"data\.folds: the data have a test split of their own"):
        reading.describe(folded, tmp_path)


def test_a_group_is_one_however_it_is_written(tmp_path):
    """As whole numbers here, with a decimal point in a file with others, and with blanks around."""
    table(np.arange(60) % 12).to_csv(tmp_path / "t.csv", index=False)
    table([3.0, 99.5]).to_csv(tmp_path / "test.csv", index=False)
    files = {"path": str(tmp_path / "t.csv"), "test_path": str(tmp_path / "test.csv")}
    source = Csv(name="csv", target="y", groups="who", **files)
    with pytest.raises(UserError, match="1 group is both in train and in test, like '3'"):
        reading.describe(source, tmp_path)
    table([f"{who}{' ' * (n % 5)}" for n, who in enumerate(WHO)]).to_csv(
        tmp_path / "t.csv", index=False
    )
    check(source.model_copy(update={"test_path": None}), tmp_path, WHO)
    with pytest.raises(UserError, match=r"data\.target: 'y' is named in data\.groups, too"):
        reading.describe(source.model_copy(update={"groups": "y"}), tmp_path)


def test_a_group_that_is_missing_is_refused_with_its_place(tmp_path):
    for gap, who in ((np.nan, np.arange(60) % 12 * 1.0), (" ", np.array(WHO))):
        who[7] = gap
        np.savez(tmp_path / "a.npz", x=np.random.rand(60, 3), y=np.arange(60) % 2, who=who)
        source = Npz(name="npz", path=str(tmp_path / "a.npz"), groups="who")
        with pytest.raises(UserError, match="'who': 1 of 60 examples have no group: 7"):
            reading.describe(source, tmp_path)
        table(["" if n == 7 else it for n, it in enumerate(who)]).to_csv(tmp_path / "t.csv")
        source = Csv(name="csv", path=str(tmp_path / "t.csv"), target="y", groups="who")
        with pytest.raises(
            UserError, match="column 'who', a group, has 1 gap: row 8 after the header"
        ):
            reading.describe(source, tmp_path)


@pytest.mark.parametrize("kind", ["npz", "hdf5"])
def test_arrays_stay_together_by_another_array(tmp_path, kind):
    arrays = {"x": np.random.rand(60, 3), "y": np.arange(60) % 2, "who": np.array(WHO)}
    arrays["z"] = arrays["x"]
    if kind == "npz":
        np.savez(tmp_path / "a.npz", **arrays)
        source = Npz(name="npz", path=str(tmp_path / "a.npz"), groups="who")
    else:
        with h5py.File(tmp_path / "a.h5", "w") as file:
            for name, array in arrays.items():
                file[name] = [it.encode() for it in WHO] if name == "who" else array
        source = Hdf5(name="hdf5", path=str(tmp_path / "a.h5"), groups="who")
    check(source, tmp_path, WHO)
    with pytest.raises(UserError, match=r"data\.groups: 'z' is \(60, 3\), but has to be one value"):
        reading.describe(source.model_copy(update={"groups": "z"}), tmp_path)


@pytest.mark.parametrize("workers", [None, 0], ids=["resident", "streamed"])
def test_pictures_stay_together_by_what_their_names_say(tmp_path, workers):
    names = [f"{label}/{WHO[n]}_{n:02d}.png" for label in "ab" for n in range(label == "b", 60, 2)]
    for number, name in enumerate(names):
        (tmp_path / "pictures" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (4, 4), number).save(tmp_path / "pictures" / name)
    options = {"root": str(tmp_path / "pictures"), "size": [4, 4], "groups": r"/p(\d+)_"}
    source = ImageFolder(name="image_folder", **options)
    check(source, tmp_path, [name[2:5] for name in sorted(names)])
    streamed = reading.load(source, tmp_path, tmp_path, workers=workers)
    resident = reading.load(source, tmp_path, tmp_path)
    assert torch.equal(streamed.test.index, resident.test.index)
    stray = tmp_path / "pictures" / "a" / "stray.png"
    stray.write_bytes((tmp_path / "pictures" / names[0]).read_bytes())
    with pytest.raises(UserError, match=r"data\.groups: '/p.* does not match a/stray\.png"):
        reading.describe(source, tmp_path)


def test_an_own_source_says_itself_what_stays_together(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import torch\n"
        "def people(bad=False, test=(), without=False):\n"
        "    n = torch.arange(60)\n"
        "    group = n / 2 if bad else n % 12 * 7\n"
        "    train = {'table': n[:, None].float(), 'label': n // 12 % 2, 'group': group}\n"
        "    if not test:\n"
        "        return {'train': train}\n"
        "    few = {name: it[:len(test)] for name, it in train.items()}\n"
        "    if without:\n"
        "        del train['group']\n"
        "    return {'train': train, 'test': {**few, 'group': test}}\n"
        "def listed():\n"
        "    return {'train': {**people()['train'], 'group': [None, *range(59)]}}\n"
        "def in_a_frame(gap=False):\n"
        "    import pandas\n"
        "    frame = pandas.DataFrame({'who': [f'p{n % 12}' for n in range(60)]})\n"
        "    if gap:\n"
        "        frame.loc[3, 'who'] = None\n"
        "    train = people()['train']\n"
        "    return {'train': {**train, 'group': frame.who}}\n"
    )
    source = UserData.model_validate({"name": "mine.py:people"})
    check(source, tmp_path, WHO)
    bad = UserData.model_validate({"name": "mine.py:people", "bad": True})
    with pytest.raises(UserError, match=r"train: group is \(60,\) float32, but has to be 60"):
        reading.given(bad, tmp_path, tmp_path)
    framed = UserData.model_validate({"name": "mine.py:in_a_frame"})
    assert reading.given(framed, tmp_path, tmp_path)[0].groups == 12
    gap = UserData.model_validate({"name": "mine.py:in_a_frame", "gap": True})
    with pytest.raises(UserError, match="group: 1 of 60 examples have no group: 3"):
        reading.given(gap, tmp_path, tmp_path)
    listed = UserData.model_validate({"name": "mine.py:listed"})
    with pytest.raises(UserError, match="group: 1 of 60 examples have no group: 0"):
        reading.given(listed, tmp_path, tmp_path)
    apart = source.model_copy(update={"test": [1, 2]})
    assert reading.given(apart, tmp_path, tmp_path)[0].test == 2
    shared = source.model_copy(update={"test": [1, 7]})
    with pytest.raises(UserError, match="people: group: 1 group is both in train and in test"):
        reading.given(shared, tmp_path, tmp_path)
    as_words = source.model_copy(update={"test": ["1", "7"]})
    with pytest.raises(UserError, match="people: group: 1 group is both in train and in test"):
        reading.given(as_words, tmp_path, tmp_path)
    alone = source.model_copy(update={"test": [1], "without": True})
    with pytest.raises(UserError, match="people: train has no group, but test has"):
        reading.given(alone, tmp_path, tmp_path)


def test_folds_of_digits_of_some_classes_and_of_all(tmp_path):
    for only, stratify in ((None, True), ([3, 5], True), ([3, 5], False)):
        seen = []
        for fold in range(4):
            options = {"folds": 4, "fold": fold, "include_classes": only, "stratify": stratify}
            source = Digits(name="digits", **options)
            splits = reading.load(source, tmp_path, tmp_path)
            assert splits.facts == reading.describe(source, tmp_path)
            assert counted(splits) == splits.facts.class_counts
            parts = (splits.train, splits.validation, splits.test)
            facts = splits.facts
            assert [len(it) for it in parts] == [facts.train, facts.validation, facts.test]
            mine = torch.isin(splits.test.tensors["label"], torch.tensor(only or range(10)))
            seen += splits.test.index[mine].tolist()
        assert len(seen) == len(set(seen)) == (365 if only else 1797)


# ---- the spec and the plan

SPEC = """\
name: x
model: {name: ffnn}
train: {epochs: 1}
data:
"""


@pytest.mark.parametrize(
    ("data", "place", "message"),
    [
        ("name: digits\n  folds: 5\n  fold: 5", ":7:9", "there are 5 folds, 0 to 4, not 5"),
        ("name: digits\n  folds: 5\n  fold: -1", ":7:9", "has to be at least 0"),
        ("name: digits\n  folds: 1\n  fold: 0", ":6:10", "has to be at least 2"),
        ("name: digits\n  folds: 5", ":5:3", "folds and fold go together"),
        ("name: digits\n  fold: 1", ":5:3", "folds and fold go together"),
        ("name: mnist\n  folds: 5\n  fold: 1", ":6:10", "have a test split of their own"),
        ("name: cora\n  folds: 5\n  fold: 1", ":6:10", "have a test split of their own"),
        ("name: cora\n  split_seed: 1", ":6:15", "splits of their own, which it does not change"),
        ("name: cora\n  validation: 0.3", ":6:15", "splits of their own, which it does not change"),
        ("name: digits\n  groups: who", ":6:3", "unknown key 'groups'"),
        ("name: cora\n  groups: who", ":6:3", "unknown key 'groups'"),
        ("name: torchvision:CIFAR10\n  groups: who", ":5:3", "groups is not for torchvision"),
        ("name: mine.py:f\n  groups: who", ":5:3", "returns a tensor `group`"),
        ("name: image_folder\n  root: r\n  groups: p[0-9]+", ":7:11", "has no \\(...\\)"),
        ("name: image_folder\n  root: r\n  groups: p(", ":7:11", "is no regular expression"),
    ],
)
def test_what_cannot_be_is_refused_at_its_place(tmp_path, data, place, message):
    file = tmp_path / "job.yaml"
    file.write_text(f"{SPEC}  {data}\n")
    with pytest.raises(SpecError, match=message) as caught:
        load(file)
    assert str(caught.value).startswith(f"{file}{place}:"), str(caught.value)


@pytest.mark.parametrize(
    ("options", "way"),
    [
        ({"validation": 0.99}, "Lower data.validation, or add examples."),
        ({"validation": 0.6, "test": 0.5}, "Lower data.validation, lower data.test, or add"),
        ({"validation": 0.7, "folds": 2}, "Lower data.validation, raise data.folds, or add"),
    ],
    ids=str,
)
def test_hints_name_the_options_that_help_and_that_the_data_have(options, way):
    with pytest.raises(UserError) as refused:
        split_counts({"train": 20}, Holdout(**options))
    assert way in refused.value.hint


def test_an_error_of_a_function_s_data_names_one_option():
    for message in ("data: there is no example", "data.folds: 3 folds of 2 examples"):
        with pytest.raises(UserError) as refused:
            describe.read_answer({"message": message, "hint": ""})
        assert refused.value.message == message
    with pytest.raises(UserError, match=r"data\.name: data\.py:f: train has no example"):
        describe.read_answer({"message": "data.py:f: train has no example", "hint": ""})


def test_the_plan_says_whose_the_splits_are_without_classes_too():
    facts = DataFacts.of("table", "regress", (2,), (), 8, 1, 1, ("y",))
    data = Csv(name="csv", path="t.csv", target="y", task="regress")
    shown = [
        dict(data_rows.rows(data, replace(facts, drawn=drawn), ""))["split"]
        for drawn in ((), ("test",), None)
    ]
    assert shown == [
        "validation and test are those of the data",
        "test drawn with split_seed 0; not stratified, as there are no classes",
        "validation and test drawn with split_seed 0, where the data have none of their own",
    ]


def test_the_plan_says_how_the_data_are_divided(tmp_path):
    table(WHO).to_csv(tmp_path / "t.csv", index=False)
    data = {"name": "csv", "path": str(tmp_path / "t.csv"), "target": "y", "groups": "who"}
    run = new_run(tmp_path, data={**data, "split_seed": 3, "folds": 4, "fold": 2})
    plan = run_plan(run)
    shown = dict(rows(Preview(load(run.spec), plan, Local(), Site(name="here"), "x-1", "")))
    assert shown["split"] == (
        "validation and test drawn with split_seed 3; each class in proportion; the "
        "test is fold 2 of 4, counted from 0; 12 groups by 'who', each in one split"
    )
    assert plan.facts.groups == 12


def run_plan(run):
    from hpc_dl.planning.plan import Plan

    return Plan.from_json(read_json(run.plan))


def test_with_another_split_it_is_another_training_and_with_another_seed_the_same_split(tmp_path):
    def run(seed=0, **data):
        return load(new_run(tmp_path, data={"name": "digits", **data}, train={"seed": seed}).spec)

    trainings = [run(), run(split_seed=1), run(folds=4, fold=0), run(folds=4, fold=1)]
    assert all(a.training() != b.training() for a in trainings for b in trainings if a is not b)
    tests = [reading.load(it.data, Path(), Path()).test.index for it in (run(), run(seed=5))]
    assert torch.equal(*tests)
