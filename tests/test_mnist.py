"""What the two architectures reach on real MNIST, with the job files as they are shipped."""

import os

import pytest

from tests.running import events
from tests.test_shipped_jobs import submit

needs_mnist = pytest.mark.skipif(
    "HPCDL_DATA" not in os.environ, reason="HPCDL_DATA names no folder of real data sets"
)


def on_the_test_split(run):
    return {
        name: value
        for event in events(run, "metrics")
        for name, value in event["values"].items()
        if name.startswith("test/")
    }


ONE_CORE = ("name=on-mnist", "data.name=mnist", "resources.cpus_per_task=1", "--local", "--json")


@needs_mnist
@pytest.mark.timeout(600)
def test_ffnn_reads_98_percent_of_mnist(tmp_path):
    run = submit("ffnn", *ONE_CORE, "train.epochs=10", root=tmp_path)  # half of what it is given
    assert on_the_test_split(run)["test/accuracy"] >= 0.980


@needs_mnist
@pytest.mark.timeout(600)
def test_vae_explains_mnist_to_106_nats_in_30_epochs(tmp_path):
    words = ("train.epochs=12", "data.batch_size=128")
    run = submit("vae", *ONE_CORE, *words, root=tmp_path)
    assert on_the_test_split(run)["test/elbo"] >= -106.0
