"""Graph networks are the papers' formulas, and graphs go through batches, ranks and exports."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F
from torch_geometric.data import Batch, Data

from hpc_dl.data.graphs import geometric
from hpc_dl.data.sources import karate
from hpc_dl.data.splits.counts import Holdout
from hpc_dl.jobspec.architectures.gnn import GraphNeuralNetwork as Options
from hpc_dl.jobspec.facts import DataFacts
from hpc_dl.jobspec.job import JobSpec
from hpc_dl.jobspec.sources.karate import Karate
from hpc_dl.planning.compatibility import SpecConflict, check
from hpc_dl.predictor import load as load_predictor
from hpc_dl.zoo.architectures.gnn import GraphNeuralNetwork, add_self_loops
from tests.support import ranks, reading
from tests.support.running import history, new_run

NODES = DataFacts.of("graph", "classify_nodes", (5,), tuple("abc"), 4, 3, 3)
GRAPHS = DataFacts.of("graph", "classify", (5,), tuple("abc"), 4, 3, 3)
LAYERS = ("gcn", "gat", "sage", "gin")


def network(facts=NODES, **options):
    torch.manual_seed(0)
    made = GraphNeuralNetwork(Options(name="gnn", hidden=8, heads=2, **options), facts)
    return made.networks()["model"].eval()


def graph(nodes=9, seed=0):
    generator = torch.Generator().manual_seed(seed)
    links = torch.rand(nodes, nodes, generator=generator) < 0.3
    links = (links | links.T) & ~torch.eye(nodes, dtype=torch.bool)
    return torch.rand(nodes, 5, generator=generator), links.nonzero().T, links.float()


def test_a_gcn_layer_is_the_dense_product():
    """D^-1/2 (A + I) D^-1/2 X W + b."""
    node, edge, links = graph()
    made = network(layer="gcn")
    layer = made.body[0]
    looped = links + torch.eye(9)
    scale = looped.sum(dim=1).rsqrt()
    dense = scale[:, None] * looped * scale @ node @ layer.lin.weight.T + layer.bias
    torch.testing.assert_close(made.convolve(layer, node, made.links(node, edge)), dense)


def test_the_attention_of_a_gat_layer_sums_to_one_over_the_neighbours():
    node, edge, _ = graph()
    layer = network(layer="gat").body[0]
    looped, padded = add_self_loops(edge, 9), F.pad(node, [0, 0, 0, 1])
    _, (edges, attention) = layer(padded, looped, return_attention_weights=True)
    total = torch.zeros(9, 2).index_add(0, edges[1], attention)
    torch.testing.assert_close(total, torch.ones(9, 2))


@pytest.mark.parametrize("layer", ["gcn", "gat"])
def test_a_node_has_one_self_loop_even_if_the_graph_has_some(layer):
    """As torch_geometric has it, which removes these edges first."""
    node, edge, _ = graph()
    edge = torch.cat([edge[:, :5], torch.tensor([[3, 3, 0], [3, 3, 0]]), edge[:, 5:]], dim=1)
    made = network(layer=layer)
    ours = made.convolve(made.body[0], node, made.links(node, edge))
    made.body[0].normalize = made.body[0].add_self_loops = True
    assert torch.equal(ours, made.body[0](node, edge))


@pytest.mark.parametrize("layer", LAYERS)
def test_outputs_follow_a_permutation_of_the_nodes(layer):
    node, edge, _ = graph()
    made, order = network(layer=layer), torch.randperm(9)
    place = order.argsort()  # where each node has gone
    torch.testing.assert_close(made(node[order], place[edge]), made(node, edge)[order])


@pytest.mark.parametrize("pooling", ["mean", "sum", "max"])
@pytest.mark.parametrize("layer", LAYERS)
def test_a_batch_of_graphs_gives_what_each_gives_by_itself(layer, pooling):
    made = network(GRAPHS, layer=layer, pooling=pooling)
    graphs = [graph(nodes, seed=nodes) for nodes in (3, 9, 6)]
    given = [Data(x=node, edge_index=edge, y=torch.tensor([0])) for node, edge, _ in graphs]
    _, splits = geometric.from_many_graphs({"train": given}, "these", Holdout())
    batch = splits["train"].batch(torch.arange(3))
    together = made(batch["node"], batch["edge"], batch["graph"], len(batch["graphs"]))
    assert torch.equal(together, made(batch["node"], batch["edge"], batch["graph"]))
    alone = [made(node, edge, torch.zeros(len(node)).long())[0] for node, edge, _ in graphs]
    torch.testing.assert_close(together, torch.stack(alone))


def test_a_batch_of_graphs_is_torch_geometrics():
    """Of some, in any order, one without an edge; and of a part of a split."""
    edges = [torch.zeros(2, 0).long(), *(graph(nodes, seed=nodes)[1] for nodes in (3, 9, 6))]
    given = [
        Data(x=torch.rand(nodes, 5), edge_index=edge, y=torch.tensor([0]))
        for nodes, edge in zip((2, 3, 9, 6), edges, strict=True)
    ]
    _, splits = geometric.from_many_graphs({"train": given}, "these", Holdout())
    part = splits["train"].subset(torch.tensor([3, 0, 2]))
    for split, chosen in ((splits["train"], [2, 0, 2, 3]), (part, [2, 0, 1])):
        batch = split.batch(torch.tensor(chosen))
        numbers = batch["index"].tolist()
        theirs = Batch.from_data_list([given[number] for number in numbers])
        assert numbers == [split.index[position] for position in chosen]
        assert torch.equal(batch["node"], theirs.x)
        assert torch.equal(batch["edge"], theirs.edge_index)
        assert torch.equal(batch["graph"], theirs.batch)


def test_batches_of_nodes_share_the_graph(tmp_path):
    source = Karate(name="karate")
    splits = reading.load(source, tmp_path, tmp_path)
    assert splits.facts == reading.describe(source, tmp_path)
    some = splits.test.batch(torch.tensor([1, 4]))
    assert some["node"].shape == (34, 34)
    assert some["edge"].shape[0] == 2
    assert len(some["at"]) == len(some["label"]) == 2
    taken = [
        set(it.tensors["at"].tolist()) for it in (splits.train, splits.validation, splits.test)
    ]
    assert sum(map(len, taken)) == len(set.union(*taken)) == 34


def job(folder, **more):
    model = {"name": "gnn", "hidden": 16, "dropout": 0.0}
    train = {"epochs": 20, "optimizer": {"name": "adam", "lr": 0.02}}
    return new_run(folder, model=model, data={"name": "karate"}, train=train, **more)


@pytest.mark.nightly
def test_three_ranks_learn_what_one_learns_though_some_have_no_part_of_the_last_batch(tmp_path):
    one = ranks.train(job(tmp_path))
    six = ranks.train(job(tmp_path, resources={"tasks_per_node": 6}))  # of four known members
    for (step, ours), (_, theirs) in zip(history(one), history(six), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-3, abs=1e-5), step


def test_it_is_exported_with_the_graph_as_its_input(tmp_path):
    run = ranks.train(job(tmp_path))
    splits = reading.load(Karate(name="karate"), tmp_path, tmp_path)
    batch = splits.test.batch(torch.arange(3))
    predictor = load_predictor(run.export)
    said = predictor.predict({name: batch[name].numpy() for name in ("node", "edge")})
    assert said["probabilities"].shape == (34, 4)
    np.testing.assert_allclose(said["probabilities"].sum(axis=1), 1, rtol=1e-5)
    assert {path.name for path in run.artifacts.iterdir()} >= {"graph", "embedding", "confusion"}


def test_a_graph_network_on_pictures_is_refused_and_others_are_named(tmp_path):
    spec = {
        "name": "x",
        "model": {"name": "gnn"},
        "data": {"name": "digits"},
        "train": {"epochs": 1},
    }
    job_spec = JobSpec.model_validate(spec)
    with pytest.raises(SpecConflict, match="gnn takes graph") as caught:
        check(job_spec, reading.describe(job_spec.data, tmp_path), None)
    assert caught.value.key == "model.name"
    assert "cnn" in caught.value.hint
    assert "ffnn" in caught.value.hint


@pytest.mark.parametrize("option", ["crop", "flip", "rotation", "noise", "mixup"])
def test_augmentation_of_pictures_is_refused_for_graphs(option):
    data = {"name": "karate", "augment": {option: option == "flip" or 1}}
    spec = {"name": "x", "model": {"name": "gnn"}, "data": data, "train": {"epochs": 1}}
    with pytest.raises(SpecConflict, match="karate is graph data; this is done to image") as caught:
        check(JobSpec.model_validate(spec), karate.FACTS, None)
    assert caught.value.key == f"data.augment.{option}"


def divisions(made, *inputs):
    """Return the outputs, and how often the features were divided by their sum."""
    with torch.profiler.profile() as profile:
        outputs = made(*inputs)
    return outputs, sum(it.name == "aten::linalg_vector_norm" for it in profile.events())


def test_the_features_of_the_one_graph_are_divided_by_their_sum_once_while_it_stays_as_it_is():
    node, edge, _ = graph()
    made = network(normalise=True, dropout=0.0).train()
    plain = network(dropout=0.0)

    def check(node, times):
        found, counted = divisions(made, node, edge)
        wanted = plain(node / node.sum(dim=1, keepdim=True), edge)
        torch.testing.assert_close(found, wanted)
        assert counted == times

    check(node, 1)
    check(node, 0)
    check(node.clone() + 1, 1)  # another graph
    check(node, 1)
    node[2] += 1  # the same one, changed
    check(node, 1)
    check(node, 0)
    made.eval()  # what predicts may be given an array that changes unseen
    check(node, 1)


def test_features_of_a_batch_of_graphs_are_divided_by_their_sum():
    node, edge, _ = graph()
    which = torch.zeros(9).long()
    made = network(GRAPHS, normalise=True, dropout=0.0).train()
    plain = network(GRAPHS, dropout=0.0)
    for scaled in (node, node * 2):
        wanted = plain(scaled / scaled.sum(dim=1, keepdim=True), edge, which, 1)
        assert divisions(made, scaled, edge, which, 1)[1] == 1
        torch.testing.assert_close(made(scaled, edge, which, 1), wanted)
