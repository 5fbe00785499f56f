"""Engines without a run around them: steps of every architecture, on a GPU and on the CPU."""

import math
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from accelerate.state import AcceleratorState
from torch import Tensor

from hpc_dl.jobspec.job import JobSpec
from hpc_dl.planning import planner
from hpc_dl.planning.plan import Machine
from hpc_dl.planning.site import Site
from hpc_dl.train import cuda_graph
from hpc_dl.train.build import build_batches, build_engine
from hpc_dl.train.distribute import distribute
from hpc_dl.train.reproducibility import use_deterministic_algorithms, use_tf32
from hpc_dl.train.world import World
from tests.gpu import machine
from tests.gpu.jobs import DETERMINISTIC, JOBS, sections
from tests.support import reading

RATE = 1e-3


class Steps:
    """The steps of a job, one after the other, on one device."""

    def __init__(
        self, job: dict[str, Any], folder: Path, world: World, precision: str = "fp32"
    ) -> None:
        use_deterministic_algorithms(True)
        AcceleratorState._reset_state(reset_partial_state=True)  # one process, several precisions
        asked = sections(job, train={"steps": 1000, "precision": precision})
        if world.device.type == "cuda":
            asked["resources"] = {"gpus_per_node": world.size}
        spec = JobSpec.model_validate(asked)
        plan = planner.make(
            spec,
            Site(name="check"),
            reading.describe(spec.data, folder, folder),
            backend="local",
            run_dir=folder / "check-1",
            run_root=folder,
            data_root=folder,
            machine=Machine(cpus=64, gpus=world.size),
        )
        splits = reading.load(spec.data, folder, folder, None).to(world.device)
        self.batches = build_batches(spec, plan, splits, world, folder)
        self.engine = build_engine(spec, plan, splits, world, folder, lambda _: RATE)
        distribute(self.engine, self.batches)
        self.steps_per_epoch = plan.steps_per_epoch
        self._steps = self._forever()

    def replayed(self) -> "Steps":
        """The same, replayed from CUDA graphs."""
        why = cuda_graph.capture(self.engine, self.batches, self.steps_per_epoch)
        assert why is None, f"not captured: {why}"
        return self

    def _forever(self) -> Iterator[Any]:
        epoch = 0
        while True:
            yield from self.batches.steps(epoch)
            epoch += 1

    def go_on_from(self, other: "Steps") -> None:
        """Load the state of another training, and go on with its next batch."""
        with tempfile.TemporaryFile() as file:
            torch.save(other.engine.state(), file)
            file.seek(0)
            self.engine.load(torch.load(file, map_location="cpu", weights_only=True))
        next(islice(self._steps, self.engine.step - 1, None))

    def take(self, count: int) -> None:
        """Take so many steps without a report."""
        for micro_batches in islice(self._steps, count):
            skipped = self.engine.train_step(micro_batches, self.batches.dummy_batch, report=False)
            assert skipped is None, skipped

    def losses(self, count: int) -> list[float]:
        """Take so many steps; the mean loss of each."""
        found = []
        for _ in range(count):
            self.take(1)
            means = self.engine.metrics.means()
            found.append(next(iter(means.values()))["loss"])
        return found


def alone(number: int = 0) -> World:
    """One rank, on a GPU."""
    return World(0, 1, machine.device(number))


def check_architectures(precision: str, folder: Path) -> str:
    """Twenty steps of every architecture leave finite weights and moments."""
    if precision == "fp16" and machine.ON_CPU:
        raise machine.Skipped("fp16 needs a GPU")
    for name, job in JOBS.items():
        steps = Steps(job, folder, alone(), precision)
        steps.take(20)
        for player in steps.engine.players.values():
            _all_finite(player.network.state_dict(), f"weights of {name}")
            moments = player.optimizer.state_dict()["state"]
            for state in moments.values():
                _all_finite(state, f"moments of {name}")
    return f"{len(JOBS)} architectures"


def _all_finite(tensors: dict[str, Any], what: str) -> None:
    for key, value in tensors.items():
        if isinstance(value, Tensor) and value.is_floating_point():
            assert value.isfinite().all(), f"{what}: {key} is not finite"


def check_agreement_with_the_cpu(folder: Path) -> str:
    """The losses of five fp32 steps are those of the CPU, up to rounding."""
    furthest = 0.0
    with _full_precision():
        for name, job in DETERMINISTIC.items():
            ours = Steps(job, folder, alone()).losses(5)
            theirs = Steps(job, folder, World(0, 1, torch.device("cpu"))).losses(5)
            apart = max(abs(a - b) / abs(b) for a, b in zip(ours, theirs, strict=True))
            assert apart < 1e-3, f"{name}: {ours} on the GPU, {theirs} on the CPU"
            furthest = max(furthest, apart)
    return f"at most {furthest:.1e} apart, relatively"


@contextmanager
def _full_precision() -> Iterator[None]:
    """Without TF32, which convolutions and recurrent cells of cuDNN have by default."""
    use_tf32(False)
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = True


def check_moved(folder: Path) -> str:
    """Convolutions in bf16 that have begun on the CPU go on on the GPU, where their weights and
    moments lie in memory in another order, and the other way round; the losses agree up to
    rounding."""
    furthest = 0.0
    cpu = World(0, 1, torch.device("cpu"))
    for name in ("cnn", "autoencoder"):
        for home, away in ((cpu, alone()), (alone(), cpu)):
            stays = Steps(DETERMINISTIC[name], folder, home, "bf16")
            stays.take(5)
            moves = Steps(DETERMINISTIC[name], folder, away, "bf16")
            moves.go_on_from(stays)
            pairs = zip(moves.losses(5), stays.losses(5), strict=True)
            apart = max(abs(a - b) / abs(b) for a, b in pairs)
            assert apart < 0.05, f"{name} from {home.device} to {away.device}: {apart:.3f} apart"
            furthest = max(furthest, apart)
    return f"at most {furthest:.1e} apart, relatively"


def check_replayed(precision: str, folder: Path) -> str:
    """Steps that are replayed from CUDA graphs leave the weights of eager ones, bit for bit, in an
    epoch and into the next one, with the smaller batch between them."""
    if machine.ON_CPU:
        raise machine.Skipped("a CPU has no CUDA graphs")
    for name, job in JOBS.items():
        eager = Steps(job, folder, alone(), precision)
        steps = Steps(job, folder, alone(), precision).replayed()
        for it in (eager, steps):
            it.take(eager.steps_per_epoch + 3)
        for player, net in eager.engine.unwrapped.items():
            found = steps.engine.unwrapped[player].state_dict()
            for key, value in net.state_dict().items():
                assert torch.equal(found[key], value), f"{name}: {player}.{key} differs"
    return f"{len(JOBS)} architectures"


def check_no_waiting(folder: Path) -> str:
    """Between two reports no step waits for the device, replayed or not."""
    if machine.ON_CPU:
        raise machine.Skipped("a CPU has nothing to wait for")
    for name, job in JOBS.items():
        _check_no_waiting(name, Steps(job, folder, alone()))
        _check_no_waiting(f"{name}, replayed", Steps(job, folder, alone()).replayed())
    return f"{len(JOBS)} architectures"


def _check_no_waiting(name: str, steps: Steps) -> None:
    steps.take(3)  # what is done once may wait
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        steps.take(5)
    except RuntimeError as error:
        raise AssertionError(f"{name}: {error}") from error
    finally:
        torch.cuda.set_sync_debug_mode("default")


def check_step_times(folder: Path) -> str:
    """A step beside the bare loop in CUDA, and replayed from a CUDA graph, in one run; prints
    ratios, and judges nothing."""
    said = []
    for name in ("ffnn", "cnn", "transformer"):
        steps, other = Steps(JOBS[name], folder, alone()), Steps(JOBS[name], folder, alone())
        bare = _Bare(next(iter(Steps(JOBS[name], folder, alone()).engine.nets.values())), steps)
        loops = [bare.take, steps.take]
        if not machine.ON_CPU:
            loops.append(other.replayed().take)
        for loop in loops:
            loop(20)
        rounds = [[_seconds(loop, 100) for loop in loops] for _ in range(5)]
        theirs, *ours = (statistics.median(column) for column in zip(*rounds, strict=True))
        timed = (
            f"{it * 1e4:.0f} µs{how}, {it / theirs:.2f}"
            for it, how in zip(ours, ("", " replayed"), strict=False)
        )
        said.append(f"{name} bare {theirs * 1e4:.0f} µs, {', '.join(timed)}")
    return "; ".join(said)


class _Bare:
    """The least that a training loop can do: batches that are there already, and a step."""

    def __init__(self, network: torch.nn.Module, steps: Steps) -> None:
        self.network = network
        self.optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, fused=True)
        self.batch = steps.batches.of_step(0)[0]

    def take(self, count: int) -> None:
        for _ in range(count):
            outputs = self.network(self.batch["image"])
            torch.nn.functional.cross_entropy(outputs, self.batch["label"]).backward()
            self.optimizer.step()
            self.optimizer.zero_grad()


def _seconds(take: Any, count: int) -> float:
    began = time.perf_counter()
    take(count)
    if not machine.ON_CPU:
        torch.cuda.synchronize()
    return time.perf_counter() - began


def is_close(ours: list[float], theirs: list[float]) -> bool:
    """Whether losses agree up to rounding."""
    return all(math.isclose(a, b, rel_tol=2e-3) for a, b in zip(ours, theirs, strict=True))
