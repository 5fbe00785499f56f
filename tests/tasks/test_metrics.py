"""What a task asks of outputs: losses and metrics of the field, exact however they are divided."""

import numpy as np
import pytest
import torch
from sklearn.metrics import f1_score, roc_auc_score, top_k_accuracy_score
from torch.nn import functional as F

from hpc_dl import tasks
from hpc_dl.jobspec.facts import DataFacts, Feature
from hpc_dl.jobspec.train import Train
from hpc_dl.tasks.metrics import macro_auroc, macro_f1
from hpc_dl.tasks.pictures.most_wrong import MostWrongClips
from tests.support import ranks
from tests.support.measured import together
from tests.support.running import history, new_run

CLASSES = 7
FACTS = DataFacts.of("image", "classify", (1, 4, 4), tuple("abcdefg"), 90, 5, 5)


def outputs_and_batch(count=200, seed=0):
    """Outputs that are right more often than not, and a batch."""
    generator = torch.Generator().manual_seed(seed)
    label = torch.randint(CLASSES, (count,), generator=generator)
    outputs = torch.randn(count, CLASSES, generator=generator)
    outputs[torch.arange(count), label] += 1.0
    image = torch.rand(count, 1, 4, 4, generator=generator)
    return outputs, {"label": label, "image": image, "index": torch.arange(count)}


def options(smoothing, weights):
    return Train(epochs=1, label_smoothing=smoothing, class_weights=weights)


def mean(loss):
    return loss.total / loss.count


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]])
def test_the_loss_is_torchs_smoothed_and_weighted_mean(smoothing, weights):
    outputs, batch = outputs_and_batch()
    loss = tasks.build(FACTS, options(smoothing, weights)).loss(outputs, batch)
    expected = F.cross_entropy(
        outputs,
        batch["label"],
        None if weights is None else torch.tensor(weights),
        label_smoothing=smoothing,
    )
    torch.testing.assert_close(mean(loss), expected)


@pytest.mark.parametrize("weights", [None, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]])
def test_parts_of_a_batch_add_up(weights):
    outputs, batch = outputs_and_batch()
    task = tasks.build(FACTS, options(0.1, weights))
    whole = task.loss(outputs, batch)
    parts = [
        task.loss(outputs[some], {name: it[some] for name, it in batch.items()})
        for some in (slice(0, 30), slice(30, 200))
    ]
    torch.testing.assert_close(whole.total, parts[0].total + parts[1].total)
    assert float(whole.count) == pytest.approx(float(parts[0].count + parts[1].count))


def test_the_loss_after_mixup_is_the_cross_entropy_against_mixed_labels():
    outputs, batch = outputs_and_batch()
    other, lam = batch["label"].roll(1), torch.rand(200)
    mixed = {**batch, "other_label": other, "lam": lam}
    one_hot = F.one_hot(batch["label"], CLASSES) * lam[:, None]
    one_hot = one_hot + F.one_hot(other, CLASSES) * (1 - lam)[:, None]
    loss = tasks.build(FACTS).loss(outputs, mixed)
    torch.testing.assert_close(mean(loss), F.cross_entropy(outputs, one_hot))


def test_the_metrics_are_scikit_learns():
    outputs, batch = outputs_and_batch()
    found = together(tasks.build(FACTS).measure(outputs, batch))
    truth, chance = batch["label"].numpy(), outputs.softmax(dim=1).numpy()
    assert found["accuracy"] == pytest.approx((chance.argmax(1) == truth).mean())
    assert found["f1_macro"] == pytest.approx(f1_score(truth, chance.argmax(1), average="macro"))
    area = roc_auc_score(truth, chance.astype(np.float64), multi_class="ovr")
    assert found["auroc_macro"] == pytest.approx(area, rel=1e-6)
    assert found["top5"] == pytest.approx(top_k_accuracy_score(truth, chance, k=5))


def test_a_class_without_examples_has_no_part_in_the_auroc():
    outputs, batch = outputs_and_batch()
    few = {"label": batch["label"] % 3}
    found = together(tasks.build(FACTS).measure(outputs, few))["auroc_macro"]
    chance = outputs.softmax(dim=1).numpy()
    areas = [
        roc_auc_score(few["label"].numpy() == number, chance[:, number]) for number in range(3)
    ]
    assert found == pytest.approx(np.mean(areas), rel=1e-6)
    one = together(tasks.build(FACTS).measure(outputs, {"label": few["label"] * 0}))
    assert np.isnan(one["auroc_macro"])


def test_probabilities_that_are_alike_count_half_in_the_auroc():
    outputs, batch = outputs_and_batch()
    coarse, label = outputs.round(), batch["label"]
    found = together(tasks.build(FACTS).measure(coarse, batch))["auroc_macro"]
    chance = coarse.double().softmax(dim=1).float()  # alike, in whatever order the logits are
    areas = [roc_auc_score(label == number, chance[:, number]) for number in range(CLASSES)]
    assert found == pytest.approx(np.mean(areas), rel=1e-6)
    assert np.isnan(macro_auroc(outputs * np.nan, label))


def test_the_f1_score_of_very_many_classes_fits_into_memory_also_where_torch_is_deterministic():
    classes, generator = 20_000, torch.Generator().manual_seed(0)
    outputs = torch.randn(64, classes, generator=generator)
    label = torch.randint(classes, (64,), generator=generator)
    outputs[:32].scatter_(1, label[:32, None], 100.0)
    torch.use_deterministic_algorithms(True)
    try:
        guess = outputs.argmax(dim=1)
        found = float(macro_f1(guess, label))
    finally:
        torch.use_deterministic_algorithms(False)
    assert found == pytest.approx(f1_score(label, guess, average="macro"), rel=1e-5)


def test_held_out_metrics_are_the_same_on_one_rank_on_two_and_if_one_has_no_examples(tmp_path):
    """18 images on 2 ranks, and 1 image on 2 ranks, of which one is left without."""
    for share, some in ((0.0101, 18), (0.0005, 1)):
        one, two = (
            last(
                ranks.train(
                    new_run(
                        tmp_path,
                        data={"validation": share},
                        train={"steps": 3, "epochs": None},
                        resources={"tasks_per_node": size},
                    )
                )
            )
            for size in (1, 2)
        )
        assert {"accuracy", "f1_macro", "auroc_macro", "top5", "loss"} <= set(one), some
        assert two == pytest.approx(one, rel=1e-4, abs=1e-6, nan_ok=True), some


def last(run):
    """The held-out metrics of the last evaluation."""
    found = [values for _, values in history(run) if "val/loss" in values][-1]
    return {name.removeprefix("val/"): float(it) for name, it in found.items() if "val/" in name}


def test_the_most_wrong_images_are_those_whose_class_seems_least_likely():
    outputs, batch = outputs_and_batch(100)
    batch["image"] = torch.zeros(100, 1, 4, 4)
    doubt = 1 - outputs.softmax(dim=1).gather(1, batch["label"][:, None])[:, 0]
    batch["image"][doubt.argmax()] = 1.0  # the only white one
    halves = [
        (outputs[some], {name: it[some] for name, it in batch.items()})
        for some in (slice(0, 50), slice(50, 100))
    ]
    pictures = tasks.build(FACTS).pictures(halves)
    assert set(pictures) == {"confusion", "roc", "most_wrong"}
    (axis,) = pictures["most_wrong"].figure.axes
    sheet = axis.images[0].get_array()
    assert sheet[:5, :4].min() == 1.0 or sheet[1:5, 0:4].min() == 1.0  # it stands first
    assert (sheet == 1.0).sum() < sheet.size  # and the others are black


def test_the_confusion_matrix_counts_true_classes_in_rows():
    label = torch.tensor([0, 0, 0, 1, 1, 6])
    guess = torch.tensor([0, 0, 1, 1, 1, 0])
    outputs = 5.0 * F.one_hot(guess, CLASSES).float()
    batch = {"label": label, "index": torch.arange(6)}
    facts = DataFacts.of("table", "classify", (3,), FACTS.classes, 90, 5, 5)
    pictures = tasks.build(facts).pictures([(outputs, batch)])
    assert "most_wrong" not in pictures  # there are no images
    axis = pictures["confusion"].figure.axes[0]
    share = np.asarray(axis.images[0].get_array())
    assert share[0, :2].tolist() == pytest.approx([2 / 3, 1 / 3])
    assert share[6, 0] == 1.0
    assert sorted(text.get_text() for text in axis.texts) == ["1", "1", "2", "2"]
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("predicted", "true")


def test_the_most_wrong_clips_are_strips_of_their_frames():
    clips = Feature("float", (16, 1, 4, 5)), Feature("int", (), ("up", "down"))
    facts = DataFacts("video", "classify", {"video": clips[0]}, {"label": clips[1]}, 2, 0, 0)
    video = torch.linspace(0, 1, 16).view(1, 16, 1, 1, 1).expand(2, 16, 1, 4, 5)
    batch = {"video": video, "label": torch.tensor([0, 1])}
    worst = MostWrongClips()
    worst.update(batch, torch.tensor([[0.9, 0.1], [0.7, 0.3]]))
    assert worst.kept["label"].tolist() == [1, 0]
    assert worst.kept["image"].shape == (2, 1, 4, 8 * 6)
    assert worst.kept["image"][0, 0, 0, ::6].diff().min() > 0, "from the first to the last"
    pictures = tasks.build(facts).pictures([(torch.eye(2), batch)])
    assert {"confusion", "most_wrong"} <= set(pictures)
