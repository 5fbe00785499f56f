"""Evaluations of a run's network on other data, as files of the run folder."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hpc_dl.run.layout import RunDir, write_json

FILE = "metrics.json"


def name_of(data: Mapping[str, Any], split: str, fingerprint: str) -> str:
    """Return the name of an evaluation: the same for the same options, split and files."""
    known = json.dumps([data, split, fingerprint], sort_keys=True)
    digest = hashlib.sha256(known.encode()).hexdigest()[:8]
    word = re.sub(r"[^\w.-]+", "-", str(data["name"])).strip("-.")
    return f"{word}-{split}-{digest}"


def folder_of(run: RunDir, name: str) -> Path:
    """Return the folder of an evaluation."""
    return run.evaluations / name


def save(run: RunDir, name: str, found: Mapping[str, Any]) -> Path:
    """Write an evaluation; return its file."""
    file = folder_of(run, name) / FILE
    write_json(file, found)
    return file
