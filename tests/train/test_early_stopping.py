"""Early stopping counts improvements by more than its margin; the best checkpoint needs none."""

from hpc_dl.jobspec import train
from hpc_dl.train.early_stopping import EarlyStopping
from hpc_dl.zoo.contract import MonitoredMetric


def evaluated(values, rule, monitor=None):
    """What early stopping and the best checkpoint have made of accuracies, epoch by epoch."""
    stopping = EarlyStopping(MonitoredMetric("accuracy", "max"), rule, monitor)
    for step, value in enumerate(values, start=1):
        stopping.update(step, {"accuracy": value, "loss": 1 / step})
        if stopping.should_stop:
            break
    return stopping


def test_the_best_checkpoint_may_be_better_by_less_than_min_delta():
    stopping = evaluated([0.5, 0.55, 0.58, 0.57], train.EarlyStopping(patience=3, min_delta=0.1))
    assert stopping.should_stop
    assert stopping.best.step == 3
    assert stopping.reference == 0.5


def test_small_improvements_that_add_up_to_min_delta_count_once():
    stopping = evaluated(
        [0.5, 0.55, 0.58, 0.61, 0.62], train.EarlyStopping(patience=3, min_delta=0.1)
    )
    assert not stopping.should_stop
    assert (stopping.reference, stopping.idle_epochs) == (0.61, 1)


def test_a_plateau_ends_the_training_though_the_tie_goes_to_the_lower_loss():
    stopping = evaluated([0.5, 0.9, 0.9, 0.9, 0.9], train.EarlyStopping(patience=2))
    assert stopping.should_stop
    assert stopping.newest.step == 4
    assert stopping.best.step == 4


def test_early_stopping_uses_the_monitored_metric():
    stopping = evaluated([0.9, 0.8, 0.7, 0.6], train.EarlyStopping(patience=2), "loss")
    assert not stopping.should_stop
    assert stopping.best.step == 4


def test_an_evaluation_without_a_finite_loss_is_never_the_best():
    """Outputs that are NaN are taken for the first class, which may be the most frequent one."""
    stopping = EarlyStopping(MonitoredMetric("accuracy", "max"), train.EarlyStopping(patience=2))
    assert stopping.update(1, {"accuracy": 0.6, "loss": 1.0})
    assert not stopping.update(2, {"accuracy": 0.9, "loss": float("nan")})
    assert not stopping.update(3, {"accuracy": 0.9, "loss": float("inf")})
    assert (stopping.best.step, stopping.should_stop) == (1, True)
    assert stopping.update(4, {"accuracy": 0.7, "loss": 1.0})


def test_without_an_evaluation_training_goes_on():
    stopping = EarlyStopping(MonitoredMetric("accuracy", "max"), train.EarlyStopping(patience=1))
    assert not stopping.update(1, {})
    assert not stopping.should_stop
