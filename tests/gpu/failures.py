"""Ranks that fail on GPUs: within seconds the run has ended, for the reason that is true."""

import os
import signal
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from hpc_dl.run import journal
from hpc_dl.run.layout import RunDir
from hpc_dl.run.submission import Submission
from hpc_dl.scheduler.local import processes
from hpc_dl.status import read_status
from tests.gpu import machine
from tests.gpu.jobs import sections
from tests.support.running import events, new_run, start
from tests.support.waiting import wait_until

SECONDS = 40
"""Within which a failure has to be known, for what it is."""

USERS = '''
import dataclasses
import math
import os
import threading

import torch
from torch import nn

from hpc_dl.zoo.supervised import Supervised

RANK = int(os.environ.get("SUBMITIT_LOCAL_GLOBALID", "0"))
TOO_MUCH = 2**46


class Own(Supervised):
    """Fails in one way from the third step on, on one rank."""

    steps = 0

    def network(self):
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))

    def fails(self):
        type(self).steps += 1
        return type(self).steps >= 3 and RANK == self.options.rank

    def loss(self, nets, batch, player):
        loss = super().loss(nets, batch, player)
        return self.failing(loss) if self.fails() else loss

    def failing(self, loss):
        return loss


class Raises(Own):
    def failing(self, loss):
        raise RuntimeError("the loss exploded")


class Stuck(Own):
    def failing(self, loss):
        threading.Event().wait()


class Waits(Own):
    """Takes so long that it is killed meanwhile."""

    def loss(self, nets, batch, player):
        threading.Event().wait(0.05)
        return super().loss(nets, batch, player)


class HungryForward(Own):
    def failing(self, loss):
        torch.empty(TOO_MUCH, dtype=torch.float64, device=loss.total.device)


class HungryBackward(Own):
    def failing(self, loss):
        loss.total.register_hook(lambda g: torch.empty(TOO_MUCH, dtype=g.dtype, device=g.device))
        return loss


class HungryEvaluation(Own):
    def measure(self, nets, batch):
        torch.empty(TOO_MUCH, dtype=torch.float64, device=batch["image"].device)


class NotANumber(Own):
    def fails(self):
        return True

    def failing(self, loss):
        return dataclasses.replace(loss, total=loss.total * math.nan)
'''


@dataclass(frozen=True)
class Failure:
    """A failure, and words of the reason that has to be recorded."""

    model: str
    words: str
    size: int = 1
    rank: int = 0
    killed: int | None = None
    train: dict[str, Any] = field(default_factory=dict)


FAILURES = {
    "a rank raises": Failure("Raises", "the loss exploded", 2, 1),
    "kill -9 of rank 1": Failure("Waits", "has ended", 2, killed=1),
    "kill -9 of rank 0": Failure("Waits", "has ended", 2, killed=0),
    "a stuck rank": Failure("Stuck", "no progress for", 2, 1, train={"hang_timeout": "00:00:10"}),
    "out of memory in forward": Failure("HungryForward", "out of memory"),
    "out of memory in backward": Failure("HungryBackward", "out of memory"),
    "out of memory in evaluation": Failure("HungryEvaluation", "out of memory"),
    "NaN at step 0": Failure("NotANumber", "the loss of player 'model' is nan"),
}


def check_failure(name: str, folder: Path) -> str:
    """The run ends within SECONDS, and says why."""
    failure = FAILURES[name]
    machine.needs(failure.size)
    run = _start(failure, folder)
    if failure.killed is not None:
        _kill(run, failure.killed)
    began = time.monotonic()
    wait_until(
        lambda: read_status(run).state in journal.ENDED,
        timeout=SECONDS + (60 if failure.killed is None else 0),
        message=f"{name}: the run to end",
    )
    reason = read_status(run).reason
    assert failure.words in reason, f"{reason!r} does not say {failure.words!r}"
    return f"{time.monotonic() - began:.0f} s: {reason.splitlines()[0][:90]}"


def _start(failure: Failure, folder: Path) -> RunDir:
    code = folder / "code"
    code.mkdir(parents=True)
    (code / "failing.py").write_text(USERS)
    where: dict[str, Any] = {"cpus_per_task": 1}
    where |= {"tasks_per_node" if machine.ON_CPU else "gpus_per_node": failure.size}
    model = {"model": {"name": f"failing.py:{failure.model}", "rank": failure.rank}}
    train = {"epochs": 1000, "log_every": 1, **failure.train}
    run = new_run(
        folder / "runs",
        code,
        gpus=0 if machine.ON_CPU else failure.size,
        **sections(model, train=train, resources=where),
    )
    start(run)
    return run


def _kill(run: RunDir, rank: int) -> None:
    """Kill one rank once the run trains."""
    wait_until(
        lambda: any(event["step"] >= 3 for event in events(run, "metrics")),
        timeout=90,
        message=f"{run.id} to train",
    )
    os.kill(_rank(run, rank), signal.SIGKILL)


def _rank(run: RunDir, rank: int) -> int:
    """The process of a rank of a local job."""
    submission = Submission.load(run)
    assert submission is not None
    ranks = {
        psutil.Process(pid).environ().get("SUBMITIT_LOCAL_GLOBALID"): pid
        for pid in processes.members(run, submission)
    }
    return ranks[str(rank)]
