"""Transforms of batches and of examples."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hpc_dl.jobspec.data import AnyAugment, UserAugment
from hpc_dl.jobspec.facts import Modality

if TYPE_CHECKING:
    import torch

    from hpc_dl.data.transforms.augment import Augmentation
    from hpc_dl.data.transforms.user_augment import UserAugmentation


def augmentation(
    options: AnyAugment, kind: Modality, device: torch.device, code: Path
) -> Augmentation | UserAugmentation:
    """Return the augmentation of inputs of a modality on a device; a user's is imported from
    `code`."""
    if isinstance(options, UserAugment):
        from hpc_dl.data.transforms.user_augment import UserAugmentation

        return UserAugmentation(options, kind, code)
    from hpc_dl.data.transforms.augment import Augmentation

    return Augmentation(options, kind, device)
