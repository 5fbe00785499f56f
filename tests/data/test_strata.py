"""Each class is divided in proportion, exactly: rules that hold for any numbers of examples."""

import random
from collections import Counter

import numpy as np
import pytest
import torch

from hpc_dl.data.dataset import divide
from hpc_dl.data.graphs import geometric
from hpc_dl.data.splits.counts import Holdout, split_facts
from hpc_dl.data.splits.holdout import positions
from hpc_dl.errors import UserError

SPLITS = ("train", "validation", "test")


def names(labels):
    return [f"c{number}" for number in range(max(labels) + 1)]


def facts(labels, holdout, groups=None, **there):
    return split_facts({"train": labels, **there}, names(labels), holdout, groups)


def drawn(labels, holdout, groups=None, missing=("validation", "test")):
    """The positions of each split, which together have to be all."""
    found = positions(len(labels), missing, holdout, groups, np.array(labels))
    assert sorted(np.concatenate(list(found.values()))) == list(range(len(labels)))
    return found


def classes_of(labels, found):
    return {name: Counter(np.array(labels)[found[name]].tolist()) for name in found}


def some_labels(source):
    """Labels of 2 to 6 classes, of which a few have many times the examples of others."""
    counts = [int(3 * 2 ** source.uniform(0, 6)) for _ in range(source.randint(2, 6))]
    labels = [number for number, count in enumerate(counts) for _ in range(count)]
    source.shuffle(labels)
    return labels


@pytest.mark.parametrize("missing", [["validation", "test"], ["test"], ["validation"]], ids=str)
@pytest.mark.parametrize("seed", range(12))
def test_every_class_is_within_one_of_its_share_and_the_login_node_counts_the_same(seed, missing):
    source = random.Random(seed)
    labels = some_labels(source)
    holdout = Holdout(source.uniform(0.02, 0.3), source.uniform(0.02, 0.3), seed)
    found = drawn(labels, holdout, missing=missing)
    by_class, left = classes_of(labels, found), Counter(labels)
    for name in ("test", "validation"):  # in this order
        if name in missing:
            wanted, there = holdout.wanted(len(labels))[name], left.total()
            assert len(found[name]) == wanted
            for label, count in left.items():
                assert abs(by_class[name][label] - count * wanted / there) < 1
            left -= by_class[name]
    assert set(left) == set(labels), "a class is lost"
    given = {name: [0] for name in SPLITS[1:] if name not in missing}
    known = facts(labels, holdout, **given)["class_counts"]
    of_class = range(len(names(labels)))
    assert all(known[name] == tuple(by_class[name][it] for it in of_class) for name in found)
    assert known == facts(sorted(labels), holdout, **given)["class_counts"]


@pytest.mark.parametrize("seed", range(10))
def test_folds_share_every_class_and_each_example_is_tested_once(seed):
    source = random.Random(seed)
    labels, folds = some_labels(source), source.randint(2, 3)
    tested, shares = [], []
    for fold in range(folds):
        holdout = Holdout(seed=seed, folds=folds, fold=fold)
        found = drawn(labels, holdout)
        tested += found["test"].tolist()
        by_class = classes_of(labels, found)
        shares.append(by_class["test"])
        assert facts(labels, holdout)["class_counts"]["test"] == tuple(
            by_class["test"][number] for number in range(len(names(labels)))
        )
    assert sorted(tested) == list(range(len(labels)))
    sizes = [share.total() for share in shares]
    assert max(sizes) - min(sizes) <= 1
    for label in set(labels):
        assert max(it[label] for it in shares) - min(it[label] for it in shares) <= 1


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("folds", [None, 4])
def test_groups_stay_whole_and_bring_the_classes_near_their_shares(seed, folds):
    source = random.Random(seed)
    of_group = [source.randint(0, 2) for _ in range(60)]  # most members are of one class
    groups = np.repeat(np.arange(60), [source.randint(1, 8) for _ in range(60)])
    labels = [of_group[it] if source.random() < 0.9 else source.randint(0, 2) for it in groups]
    holdout = Holdout(0.2, 0.2, seed, folds, 1 if folds else 0)
    found = drawn(labels, holdout, groups)
    assert sum(len(set(groups[it].tolist())) for it in found.values()) == len(set(groups.tolist()))
    by_class, total = classes_of(labels, found), Counter(labels)
    for label, count in total.items():
        for name in ("validation", "test"):
            wanted = count / folds if folds and name == "test" else count * 0.2
            assert abs(by_class[name][label] - wanted) <= 8, "more than the largest group"
            assert by_class[name][label]
    known = facts(labels, holdout, groups)
    assert known["class_counts"] == {
        name: tuple(by_class[name][it] for it in range(3)) for name in SPLITS
    }


def test_small_groups_of_many_classes_are_held_out_though_none_fits_its_class():
    groups = np.repeat(np.arange(100), 4)
    labels = (groups // 2).tolist()  # two groups of four each
    found = drawn(labels, Holdout())
    assert [len(found[name]) for name in ("validation", "test")] == [40, 40]
    found = drawn(labels, Holdout(), groups)
    assert [len(found[name]) for name in ("validation", "test")] == [40, 40]
    assert set(np.array(labels)[found["train"]].tolist()) == set(labels)


def test_many_small_groups_of_several_classes_bring_each_class_to_its_share():
    source = random.Random(0)
    groups = np.repeat(np.arange(500), 10)
    labels = source.choices([0, 1, 2], [90, 9, 1], k=5000)
    counts = facts(labels, Holdout(0.2, 0.1), groups)["class_counts"]
    for label, count in Counter(labels).items():
        assert abs(counts["test"][label] - count * 0.1) <= 2
        assert abs(counts["validation"][label] - count * 0.2) <= 2


def test_tens_of_thousands_of_classes_are_counted_at_once():
    labels = np.arange(90_000) % 30_000
    counts = split_facts({"train": labels}, list(map(str, range(30_000))), Holdout())
    assert min(counts["class_counts"]["train"]) == 2


def test_the_seed_decides_which_examples_but_not_how_many_and_the_test_keeps_its_own():
    labels = some_labels(random.Random(1))
    first, second = drawn(labels, Holdout(seed=1)), drawn(labels, Holdout(seed=2))
    assert classes_of(labels, first) == classes_of(labels, second)
    assert set(first["test"]) != set(second["test"])
    assert np.array_equal(drawn(labels, Holdout(0.3, seed=1))["test"], first["test"])


def test_without_stratification_the_examples_are_those_of_before_and_their_classes_are_counted():
    labels = [0] * 90 + [1] * 10
    plain = Holdout(stratify=False)
    found = drawn(labels, plain)
    before = positions(100, ["validation", "test"], Holdout())
    assert all(np.array_equal(found[name], before[name]) for name in SPLITS)
    by_class = classes_of(labels, found)
    assert facts(labels, plain)["class_counts"] == {
        name: (by_class[name][0], by_class[name][1]) for name in SPLITS
    }
    assert facts(bytes(labels), plain) == facts(labels, plain)


def test_a_class_of_one_is_trained_on_and_shares_of_others_make_up_for_it():
    labels = [0] * 60 + [1] * 30 + list(range(2, 12))
    counts = facts(labels, Holdout(0.2, 0.2))["class_counts"]
    assert counts["train"][2:] == (1,) * 10
    assert (sum(counts["validation"]), sum(counts["test"])) == (20, 20)
    assert counts["test"][:2] == (13, 7)


def test_shares_that_leave_less_than_one_of_each_class_are_refused_with_their_number():
    message = "of 20 examples, 8 for validation and 8 for test: that leaves 4 to train on"
    with pytest.raises(UserError, match=message):
        facts([number % 5 for number in range(20)], Holdout(0.4, 0.4))


def test_a_fold_that_takes_the_only_example_of_a_class_is_refused_by_its_name():
    labels = [0] * 10 + [1]
    taking = Holdout(folds=3, fold=1)
    message = r"no example of 'c1' \(1 in all\) to train on, among the [67] of the training split"
    with pytest.raises(UserError, match=message) as refused:
        facts(labels, taking)
    assert "data.fold" in refused.value.hint
    assert facts(labels, Holdout(folds=3, fold=0))["class_counts"]["train"][1] == 1


def test_a_class_that_is_one_group_is_missing_in_the_training_of_one_fold_alone():
    labels, groups = [0] * 12 + [1] * 5, np.array([0, 1, 2, 3] * 3 + [4] * 5)
    refused = []
    for fold in range(3):
        try:
            facts(labels, Holdout(folds=3, fold=fold), groups)
        except UserError as error:
            refused.append(error.message)
    assert len(refused) == 1
    assert "no example of 'c1' (5 in all) to train on" in refused[0]


def test_nodes_and_graphs_are_divided_by_their_classes():
    from torch_geometric.data import Data

    number = torch.arange(60)
    edge = torch.stack([number, number.roll(1)])
    label = torch.tensor([0] * 45 + [1] * 12 + [2] * 3)[torch.randperm(60)]
    nodes = Data(x=torch.rand(60, 2), edge_index=edge, y=label)
    pair = torch.tensor([[0, 1], [1, 0]])
    graphs = [Data(x=torch.rand(2, 2), edge_index=pair, y=it[None]) for it in label]
    for source in (nodes, graphs):
        known, given = geometric.from_graphs(source, "these", Holdout(0.2, 0.2))
        splits = divide(given, known, Holdout(0.2, 0.2))
        parts = {name: getattr(splits, name).tensors["label"] for name in SPLITS}
        assert known.class_counts == {
            name: tuple(it.bincount(minlength=3).tolist()) for name, it in parts.items()
        }
        assert known.class_counts["test"] == (9, 2, 1)


def test_a_class_that_the_given_training_examples_have_none_of_is_refused():
    with pytest.raises(UserError, match="no example of 'c1' to train on"):
        split_facts({"train": [0, 0, 2], "test": [1]}, ["c0", "c1", "c2"], Holdout())
