"""The learning rate's trial leaves nothing behind but what it has found."""

import gc
import weakref

from hpc_dl.run.layout import RunDir
from hpc_dl.train import rate_finder
from tests.support import steps


def test_the_memory_of_the_trial_is_released(tmp_path, monkeypatch):
    """Also without a garbage collection that happens to come."""
    model, options = (
        {"name": "ffnn", "hidden": [16]},
        {"optimizer": {"name": "adamw", "lr": "auto"}},
    )
    spec, left = steps.job(model=model, train=options), []
    build = rate_finder.build_engine

    def watched(*arguments):
        engine = build(*arguments)
        for player in engine.players.values():
            left.extend(map(weakref.ref, (player.network, player.optimizer, *player.parameters)))
        return engine

    monkeypatch.setattr(rate_finder, "build_engine", watched)
    monkeypatch.setattr(rate_finder, "STEPS", 3)
    gc.collect()
    gc.disable()
    try:
        rate_finder.peak_rate(*steps.surroundings(spec, tmp_path), RunDir(tmp_path))
        assert len(left) == 6
        assert not [it for it in left if it() is not None]
    finally:
        gc.enable()
