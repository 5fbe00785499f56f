"""Values by TPE (Bergstra et al. 2011), from the results so far: a study of Optuna's.

Optuna keeps it in a journal file in the sweep's folder. That needs no server, and its lock is a
file that is made, which works on NFS. Optuna numbers its trials as they begin; each has the number
of the sweep's trial as its attribute `trial`.
"""

from __future__ import annotations

import math
import random
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING

from hpc_dl.jobspec.sweep import Distribution, IntUniform, LogUniform, Sweep
from hpc_dl.sweep import folder, space
from hpc_dl.sweep.folder import SweepDir
from hpc_dl.sweep.trial import Result, Trial

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import Trial as Asked

_NUMBER = "trial"


def choose(sweep: SweepDir, spec: Sweep, trial: Trial) -> Trial:
    """Choose the values of a trial by the results so far, write them, and return it with them.

    Trials that are being trained count as bad ones, so that others are not sent to the same place.
    A trial that has been asked for by a task that died before it wrote the values is forgotten.
    """
    study = _open(sweep, spec, trial.number)
    _tell(study, folder.read_results(sweep).values(), trial.number)
    asked = study.ask()
    asked.set_user_attr(_NUMBER, trial.number)
    return folder.choose_values(sweep, trial, space.choose(spec, _Chooser(asked)))


def _open(sweep: SweepDir, spec: Sweep, number: int) -> Study:
    """Open or create the study; what is random for a trial depends on its number."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path = str(sweep.study)
    seed = random.Random(f"{spec.seed} {number}").getrandbits(32)
    with warnings.catch_warnings(action="ignore"):  # that an option is experimental
        return optuna.create_study(
            study_name=sweep.id,
            storage=JournalStorage(JournalFileBackend(path, JournalFileOpenLock(path))),
            sampler=optuna.samplers.TPESampler(
                seed=seed, multivariate=True, constant_liar=True, warn_independent_sampling=False
            ),
            direction=spec.goal,
            load_if_exists=True,
        )


def _tell(study: Study, results: Iterable[Result], number: int) -> None:
    """Tell the results that the study does not have yet, and that `number` has not begun."""
    from optuna.trial import TrialState

    by_number = {it.trial: it for it in results}
    for asked in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        known = asked.user_attrs.get(_NUMBER)
        result = by_number.get(known)
        value = result.value if result and result.state == "completed" else None
        if value is not None and math.isfinite(value):
            study.tell(asked.number, value, skip_if_finished=True)
        elif result or known == number:
            study.tell(asked.number, state=TrialState.FAIL, skip_if_finished=True)


class _Chooser:
    """Chooses as a trial of Optuna's suggests."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked

    def index(self, name: str, count: int) -> int:
        return int(self._asked.suggest_categorical(name, range(count)))

    def number(self, name: str, among: Distribution) -> float:
        if isinstance(among, IntUniform):
            return int(self._asked.suggest_int(name, *among.int_uniform))
        is_log = isinstance(among, LogUniform)
        least, most = among.log_uniform if isinstance(among, LogUniform) else among.uniform
        return space.rounded(self._asked.suggest_float(name, least, most, log=is_log), least, most)
