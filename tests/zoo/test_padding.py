"""More padding changes no number: not the loss, the metrics, the gradients or the predictions."""

import numpy as np
import pytest
import torch

from hpc_dl import tasks, zoo
from hpc_dl.errors import UserError
from hpc_dl.jobspec.architectures import ZOO
from hpc_dl.jobspec.facts import DataFacts, Feature
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.jobspec.notes import NAMES
from hpc_dl.jobspec.only_with import find_unused
from hpc_dl.planning import compatibility
from hpc_dl.planning.compatibility import SpecConflict
from hpc_dl.tasks.decoding import Sampling
from hpc_dl.tasks.predict_notes import Improvisation
from tests.support.measured import parts_of

LENGTH = torch.tensor([5, 1, 7])
WORDS = ("<unk>", *"abcdef")
TEXT = DataFacts(
    "text",
    "predict_next",
    {"text": Feature("int", (None,), WORDS, longest=12)},
    {"next": Feature("int", (None,), WORDS, longest=12)},
    *(8, 2, 2),
)
SEQUENCES = DataFacts(
    "sequence",
    "classify",
    {"sequence": Feature("float", (None, 3), longest=12)},
    {"label": Feature("int", (), ("up", "down"))},
    *(8, 2, 2),
)
REVIEWS = DataFacts(
    "text",
    "classify",
    {"text": Feature("int", (None,), WORDS, longest=12)},
    {"label": Feature("int", (), ("good", "bad"))},
    *(8, 2, 2),
)
MUSIC = DataFacts(
    "music",
    "predict_notes",
    {"music": Feature("float", (None, 88), longest=12)},
    {"next": Feature("float", (None, 88), NAMES, longest=12)},
    *(8, 2, 2),
)
LABEL = {"label": Feature("int", (), ("good", "bad"))}
HEIGHTS = DataFacts(
    "sequence",
    "regress",
    {"sequence": Feature("float", (None, 3), longest=12)},
    {"target": Feature("float", (2,), ("height", "weight"))},
    *(8, 2, 2),
)
TUNES = DataFacts("music", "classify", MUSIC.inputs, LABEL, 8, 2, 2)
WORDS_SAID = DataFacts(
    "audio", "classify", {"audio": Feature("float", (None,), longest=12, rate=100)}, LABEL, 8, 2, 2
)
SEQUENTIAL = (TEXT, MUSIC)
"""Of which each next element is predicted."""
SPELT = DataFacts(
    "text",
    "tag",
    {"text": Feature("int", (None, 5), WORDS, longest=12)},
    {"tags": Feature("int", (None,), ("O", "B-x", "I-x"), longest=12)},
    *(8, 2, 2),
)
CLIPS = DataFacts(
    "video",
    "classify",
    {"video": Feature("float", (None, 1, 9, 9), longest=12)},
    {"label": Feature("int", (), ("left", "right"))},
    *(8, 2, 2),
)
NETWORKS = {
    "rnn": {"hidden": 8, "layers": 2},
    "lstm": {"hidden": 8, "layers": 2, "dropout": 0.0},
    "gru": {"name": "lstm", "cell": "gru", "hidden": 8, "dropout": 0.0},
    "transformer": {"width": 8, "heads": 2, "depth": 2, "dropout": 0.0},
}
POOLED = {
    "cnn": {"channels": [8, 8], "hidden": [], "activation": "tanh", "dropout": 0.0},
    "mean": {"name": "lstm", "hidden": 8, "pooling": "mean", "dropout": 0.0},
    "max": {"name": "rnn", "hidden": 8, "pooling": "max"},
    "field": {"name": "lstm", "hidden": 8, "bidirectional": True, "dropout": 0.0, "crf": True},
    "both ways": {"name": "lstm", "hidden": 8, "layers": 2, "bidirectional": True, "dropout": 0.0},
}


@pytest.fixture(autouse=True)
def _short_continuations(monkeypatch):
    monkeypatch.setattr("hpc_dl.tasks.predict_next.NextElement.params", Sampling(length=5))
    music = Improvisation(frames=5)
    monkeypatch.setattr("hpc_dl.tasks.predict_notes.NextFrame.params", music)


def title(given):
    return given if isinstance(given, str) else f"{given.modality}, {given.task}"


def members():
    """Every network with every form of data that it takes."""
    of_examples = (SEQUENCES, HEIGHTS, REVIEWS, TUNES, WORDS_SAID, CLIPS)
    for name, options in {**NETWORKS, **POOLED}.items():
        spec = ZOO[options.get("name", name)].model_validate({"name": name, **options})
        for facts in (*of_examples, *SEQUENTIAL, SPELT):
            able = facts.modality in spec.modalities and facts.task in spec.tasks
            used = not list(find_unused(spec, facts))
            if able and used and spec.find_conflict(facts) is None:
                yield name, facts


def architecture(name, options, facts):
    torch.manual_seed(0)
    options = {"name": name, **options}
    made = zoo.build(ZOO[options["name"]](**options), facts, None, tasks.build(facts))
    return made, made.networks()


def batch(facts, width):
    """The same examples, padded with garbage to a width."""
    random = torch.Generator().manual_seed(1)
    if facts is SPELT:
        text = torch.randint(0, 7, (3, 12, 5), generator=random)
        inputs = {"text": text, "tags": torch.randint(0, 3, (3, 12), generator=random)}
    elif facts is TEXT:
        inputs = {name: torch.randint(0, 7, (3, 12), generator=random) for name in ("text", "next")}
    elif facts is MUSIC:
        rolls = [torch.randint(0, 2, (3, 12, 88), generator=random).float() for _ in range(2)]
        inputs = dict(zip(("music", "next"), rolls, strict=True))
    elif facts is REVIEWS:
        inputs = {"text": torch.randint(0, 7, (3, 12), generator=random)}
    else:
        step = next(iter(facts.inputs.values())).shape[1:]
        inputs = {facts.modality: torch.rand(3, 12, *step, generator=random)}
    lengths = {f"{name}_length": LENGTH for name in inputs}
    cut = {name: it[:, :width] for name, it in inputs.items()}
    targets = {"label": torch.tensor([0, 1, 0]), "target": torch.rand(3, 2, generator=random)}
    asked = {name: it for name, it in targets.items() if name in facts.targets}
    return {**cut, **lengths, **asked, "index": torch.arange(3)}


def numbers(made, nets, given):
    """All that is computed of a batch."""
    loss = made.loss(nets, given, "model")
    (loss.total / loss.count).backward()
    found = {name: it.grad for name, it in nets["model"].named_parameters()}
    found |= {"count": torch.as_tensor(loss.count)}
    for name, it in made.measure(nets, given).items():
        found |= {f"{name} {n}": tensor for n, tensor in enumerate(parts_of(it))}
    nets["model"].eval()
    with torch.no_grad():
        predicted = made.predict(nets, made.inputs(given))
    if "tag" in predicted:  # of padding it means nothing
        predicted = made.decode(predicted)
    return found | {f"predicted {name}": it for name, it in predicted.items()}


@pytest.mark.parametrize(("name", "facts"), [*members()], ids=title)
def test_more_padding_changes_no_number(name, facts):
    options = {**NETWORKS, **POOLED}[name]
    few, many = (
        numbers(*architecture(name, options, facts), batch(facts, width)) for width in (7, 12)
    )
    for what, value in few.items():
        if isinstance(value, np.ndarray):
            assert many[what].tolist() == value.tolist()
            continue
        other = many[what]  # of a float64, in the units of targets, float32 is computed before
        torch.testing.assert_close(
            other, value, rtol=1.3e-6, atol=1e-5, msg=f"{what}: {value} {other}"
        )


WINDOWS = DataFacts(
    "sequence",
    "forecast",
    SEQUENCES.inputs,
    {"future": Feature("float", (4, 3), ("a", "b", "c"))},
    *(8, 2, 2),
)


@pytest.mark.parametrize(
    ("name", "facts", "said"),
    [
        ("lstm", WINDOWS, "data: series has windows of several lengths to forecast"),
        ("ffnn", SEQUENCES, "model.name: ffnn takes examples of one length, and these differ"),
    ],
    ids=title,
)
def test_what_takes_no_padding_is_refused_examples_of_several_lengths(name, facts, said):
    sections = {"model": {"name": name}, "data": {"name": "series"}, "train": {"steps": 1}}
    spec = JobSpec.model_validate({"name": "x", **sections})
    with pytest.raises(SpecConflict, match=said):
        compatibility.check(spec, facts, None)


def test_a_count_is_of_real_tokens():
    made, nets = architecture("rnn", NETWORKS["rnn"], TEXT)
    assert int(made.loss(nets, batch(TEXT, 12), "model").count) == 13


@pytest.mark.parametrize("name", NETWORKS)
def test_a_step_at_a_time_gives_the_outputs_for_the_whole_text(name):
    made, nets = architecture(name, NETWORKS[name], TEXT)
    nets["model"].eval()
    given = batch(TEXT, 7)
    step, state, seen = made.step(nets, {}), None, []
    with torch.no_grad():
        for tokens in given["text"].unbind(1):
            logits, state = step(tokens, state)
            seen.append(logits)
        torch.testing.assert_close(torch.stack(seen, dim=1), made.outputs(nets, given))


@pytest.mark.parametrize("name", NETWORKS)
def test_no_output_depends_on_a_later_token(name):
    made, nets = architecture(name, NETWORKS[name], TEXT)
    nets["model"].eval()
    given = batch(TEXT, 7)
    other = given["text"].clone()
    other[:, 4:] = 0
    with torch.no_grad():
        outputs = made.outputs(nets, given), made.outputs(nets, {**given, "text": other})
    torch.testing.assert_close(*(it[:, :4] for it in outputs))


def test_a_transformer_goes_on_with_the_later_half_once_its_positions_are_full():
    made, nets = architecture("transformer", NETWORKS["transformer"], TEXT)
    nets["model"].eval()
    step, tokens = made.step(nets, {}), torch.randint(0, 7, (1, 30))
    state = None
    with torch.no_grad():
        for place in range(30):
            logits, state = step(tokens[:, place], state)
            seen = state["given"].shape[1]
            assert seen == (place + 1 if place < 12 else 6 + (place - 12) % 7)  # of 12 positions
            whole = {"text": tokens[:, place + 1 - seen : place + 1]}
            expected = made.outputs(nets, {**whole, "text_length": torch.tensor([seen])})[:, -1]
            torch.testing.assert_close(logits, expected)


def test_a_step_of_a_transformer_computes_its_own_position_alone():
    made, nets = architecture("transformer", NETWORKS["transformer"], TEXT)
    nets["model"].eval()
    step, state, rows = made.step(nets, {}), None, []
    for module in nets["model"].modules():
        if isinstance(module, torch.nn.Linear) and module.out_features == 128:
            module.register_forward_hook(lambda *it: rows.append(it[2].shape[1]))
    with torch.no_grad():
        for token in torch.randint(0, 7, (12,)):
            _, state = step(token[None], state)
    assert rows == [1] * 24  # of two layers


@pytest.mark.parametrize("facts", [SEQUENCES, REVIEWS, SPELT, CLIPS], ids=title)
def test_more_steps_than_a_transformer_has_positions_are_refused(facts):
    made, nets = architecture("transformer", NETWORKS["transformer"], facts)
    name = facts.modality
    twice = batch(facts, 12)[name].repeat(1, 2, *[1] * (len(facts.inputs[name].shape) - 1))
    given = {name: twice, f"{name}_length": torch.tensor([24, 3, 1])}
    with pytest.raises(UserError, match=r"has 24 steps, and the transformer .* of 12"):
        made.outputs(nets, given)


def test_held_out_texts_of_one_token_are_no_beginning_of_a_generation():
    """Layers are called as wholes then, which fsdp gathers one by one."""
    made, nets = architecture("transformer", NETWORKS["transformer"], TEXT)
    nets["model"].eval()
    given = {"text": torch.tensor([[3], [1]]), "text_length": torch.tensor([1, 1])}
    _, state = nets["model"](given["text"], given["text_length"])
    assert state is None
    torch.testing.assert_close(
        made.outputs(nets, given)[:, 0], made.step(nets, given)(given["text"][:, 0], None)[0]
    )
