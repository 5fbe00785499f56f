"""How many examples go into which split: what the plan says is what the training gets."""

from __future__ import annotations

from collections.abc import Mapping

from hpc_dl.errors import UserError


def split_counts(there: Mapping[str, int], validation: float, test: float) -> tuple[int, int, int]:
    """Train, validation and test, given how many examples a source has for `train` and others.

    A split that the source does not have is that fraction of its training examples.
    Raises UserError where none would be left to train on.
    """
    fractions = {"validation": validation, "test": test}
    made = {
        name: round(there["train"] * fraction)
        for name, fraction in fractions.items()
        if name not in there
    }
    train = there["train"] - sum(made.values())
    if train < 1:
        taken = " and ".join(f"{count} for {name}" for name, count in made.items())
        raise UserError(
            f"data: of {there['train']} examples, {taken or 'all there are'}: "
            "none is left to train on",
            hint="Lower data.validation or data.test, or add examples." if made else "",
        )
    sizes = {**there, **made}
    return train, sizes["validation"], sizes["test"]
