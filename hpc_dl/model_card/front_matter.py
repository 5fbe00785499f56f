"""Front matter of a model card, which search pages read: YAML by the keys of Hugging Face
(https://github.com/huggingface/hub-docs/blob/main/modelcard.md).

`huggingface_hub.ModelCardData` would write it as well, but takes longer to import than a small
network takes to train.
"""

from __future__ import annotations

from typing import Any

import yaml

from hpc_dl.model_card.known import Known

_GENERATES = {
    "gan": "unconditional-image-generation",
    "vae": "unconditional-image-generation",
    "diffusion": "unconditional-image-generation",
    "autoencoder": "image-feature-extraction",
}
"""Hugging Face's name of what an architecture does, where it does not learn the data's task."""
_TASKS = {
    ("image", "classify"): "image-classification",
    ("video", "classify"): "video-classification",
    ("audio", "classify"): "audio-classification",
    ("text", "classify"): "text-classification",
    ("table", "classify"): "tabular-classification",
    ("table", "regress"): "tabular-regression",
    ("text", "tag"): "token-classification",
    ("text", "translate"): "translation",
    ("text", "predict_next"): "text-generation",
    ("graph", "classify"): "graph-ml",
    ("graph", "classify_nodes"): "graph-ml",
}
"""Hugging Face's name of a task, by modality and task; others have none."""


def make(known: Known) -> str:
    """Return the YAML; what is not known is left out."""
    data, task = known.spec.data, _task(known)
    test = known.metrics("test")
    found = {
        "license": data.licence.lower(),
        "library_name": "hpcdl",
        "pipeline_tag": task,
        "tags": ["hpcdl", "pytorch", known.spec.model.name, known.plan.facts.modality],
        "datasets": [known.data_name],
        "metrics": [*test],
        "model-index": [{"name": known.run_id, "results": [_result(known, task)]}] if test else [],
    }
    text: str = yaml.safe_dump({k: it for k, it in found.items() if it}, sort_keys=False)
    return text


def _task(known: Known) -> str:
    facts, model = known.plan.facts, known.spec.model
    if not model.is_supervised:
        return _GENERATES.get(model.name, "")
    return _TASKS.get((facts.modality, facts.task), "")


def _result(known: Known, task: str) -> dict[str, Any]:
    name = known.data_name
    return {
        "task": {"type": task or known.plan.facts.task},
        "dataset": {"type": name, "name": name, "split": "test"},
        "metrics": [{"type": key, "value": it} for key, it in known.metrics("test").items()],
    }
