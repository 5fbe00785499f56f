"""A user's metric of torchmetrics sees the examples of all ranks, whatever each of them has."""

import pytest
import torch
from sklearn.metrics import roc_auc_score

from hpc_dl.torchvision_compat import torchvision
from hpc_dl.train.evaluate import EvaluationMetrics
from hpc_dl.zoo.contract import Observed
from tests.support import ranks

SCORES = [0.9, 0.2, 0.6, 0.4, 0.5]
TRUTHS = [1, 0, 0, 1, 1]


def measured(world, *shares):
    """What all ranks find, of which each has a share of the examples, in batches of two."""
    torchvision()  # which torchmetrics imports
    from torchmetrics.classification import BinaryAUROC

    found, (start, end) = EvaluationMetrics(world), shares[world.rank]
    scores, truths = torch.tensor(SCORES), torch.tensor(TRUTHS)
    for first in range(start, end, 2):
        chosen = slice(first, min(first + 2, end))
        found.update({"auroc": Observed(BinaryAUROC, (scores[chosen], truths[chosen]))})
    if start == end:
        found.update_empty({"auroc": Observed(BinaryAUROC, (scores[:1], truths[:1]))})
    return found.compute()


@pytest.mark.parametrize("shares", [[(0, 3), (3, 5)], [(0, 5), (5, 5)]])
def test_the_examples_of_all_ranks_are_seen(tmp_path, shares):
    found = ranks.call_on_all(measured, 2, tmp_path, *shares)
    assert found == {"auroc": pytest.approx(roc_auc_score(TRUTHS, SCORES))}
