"""Early stopping counts improvements by more than its margin; the best checkpoint needs none."""

from hpc_dl.jobspec.job import EarlyStopping
from hpc_dl.train.early_stopping import Patience
from hpc_dl.zoo.contract import MonitoredMetric


def seen(values, rule, monitor=None):
    """What early stopping and the best checkpoint have made of accuracies, epoch by epoch."""
    patience = Patience(MonitoredMetric("accuracy", "max"), rule, monitor)
    for step, value in enumerate(values, start=1):
        patience.see(step, {"accuracy": value, "loss": 1 / step})
        if patience.exhausted:
            break
    return patience


def test_the_best_checkpoint_is_the_best_also_by_less_than_the_margin():
    patience = seen([0.5, 0.55, 0.58, 0.57], EarlyStopping(patience=3, min_delta=0.1))
    assert patience.exhausted
    assert patience.best.step == 3
    assert patience.reference == 0.5


def test_small_improvements_that_add_up_to_the_margin_count_once():
    patience = seen([0.5, 0.55, 0.58, 0.61, 0.62], EarlyStopping(patience=3, min_delta=0.1))
    assert not patience.exhausted
    assert (patience.reference, patience.idle_epochs) == (0.61, 1)


def test_a_plateau_ends_the_training_though_the_tie_goes_to_the_lower_loss():
    patience = seen([0.5, 0.9, 0.9, 0.9, 0.9], EarlyStopping(patience=2))
    assert patience.exhausted
    assert patience.newest.step == 4
    assert patience.best.step == 4


def test_it_goes_by_the_monitored_metric():
    patience = seen([0.9, 0.8, 0.7, 0.6], EarlyStopping(patience=2), "loss")
    assert not patience.exhausted
    assert patience.best.step == 4


def test_what_has_no_finite_loss_is_never_the_best_however_often_it_is_right():
    """Outputs that are NaN are taken for the first class, which may be the most frequent one."""
    patience = Patience(MonitoredMetric("accuracy", "max"), EarlyStopping(patience=2))
    assert patience.see(1, {"accuracy": 0.6, "loss": 1.0})
    assert not patience.see(2, {"accuracy": 0.9, "loss": float("nan")})
    assert not patience.see(3, {"accuracy": 0.9, "loss": float("inf")})
    assert (patience.best.step, patience.exhausted) == (1, True)
    assert patience.see(4, {"accuracy": 0.7, "loss": 1.0})


def test_without_any_evaluation_it_waits():
    patience = Patience(MonitoredMetric("accuracy", "max"), EarlyStopping(patience=1))
    assert not patience.see(1, {})
    assert not patience.exhausted
