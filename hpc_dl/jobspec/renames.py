"""Options of earlier versions: former names are read in what an earlier version wrote, and refused
in what a user writes."""

from __future__ import annotations

from typing import Any

KEYS: dict[tuple[str | int, ...], str] = {
    ("train", "average"): "ema_decay",
    ("data", "only"): "include_classes",
    ("model", "judge"): "classifier",
}
"""Section and former option → option."""
VALUES: dict[tuple[str | int, ...], str] = {("train", "on_nonfinite", "back"): "rollback"}
"""Section, option and former value → value."""
FORMER_DEFAULTS: dict[tuple[str, str], dict[str, Any]] = {
    ("data", ""): {"stratify": False},
    ("data", "csv"): {"header": True},
}
"""Section and name, any if it is empty → options that came later, as every training was before."""


def upgrade(spec: Any) -> Any:
    """Return what an earlier version wrote of a spec, section by section, in the names of today.

    The options of a user's own network or source, `name: FILE.py:NAME`, keep their names.
    """
    if not isinstance(spec, dict):
        return spec
    upgraded = {
        section: _upgraded(section, options) if _is_ours(options) else options
        for section, options in spec.items()
    }
    for (section, name), former in FORMER_DEFAULTS.items():
        options = upgraded.get(section)
        if isinstance(options, dict) and name in ("", options.get("name")):
            upgraded[section] = {**former, **options}
    return upgraded


def _is_ours(options: Any) -> bool:
    return isinstance(options, dict) and ":" not in str(options.get("name"))


def _upgraded(section: str, options: dict[str, Any]) -> dict[str, Any]:
    return {
        KEYS.get((section, key), key): VALUES.get((section, key, str(value)), value)
        for key, value in options.items()
    }
