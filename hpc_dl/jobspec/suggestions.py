"""Suggestions for a name that is not known: a similar one, or what it is called here."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from pathlib import PurePath

FILES = {
    ".csv": "csv",
    ".data": "csv",
    ".tab": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".npz": "npz",
    ".h5": "hdf5",
    ".hdf": "hdf5",
    ".hdf5": "hdf5",
    ".mat": "hdf5",
    ".txt": "text",
}
"""Ending of a file → the source that reads it."""
_OTHER_FILES = (
    *(".gml", ".graphml", ".json", ".jsonl", ".mtx", ".npy", ".ods", ".pickle", ".pkl"),
    *(".pt", ".pth", ".rds", ".sav", ".xls", ".xlsx"),
)
"""Endings of files of data that no source reads."""
_SYNONYMS = {
    "data": {
        "cora": "planetoid",
        "csv": "boston excel housing iris pandas table tabular titanic tsv wine",
        "hdf5": "h5 hdf keras matlab",
        "image_folder": "folder imagenet images imagenette jpeg jpg pictures png tinyimagenet",
        "npz": "array arrays npy numpy",
        "parquet": "arrow feather",
        "text": "enwik8 gutenberg penntreebank ptb shakespeare text8 tinyshakespeare txt wikitext "
        "wikitext2 wikitext103",
    },
    "model": {
        "autoencoder": "ae",
        "cnn": "conv convnet lenet",
        "diffusion": "ddpm unet",
        "ffnn": "dense fc feedforward linear mlp",
        "gan": "dcgan wgan",
        "gnn": "gat gcn gin graphsage sage",
        "rnn": "elman",
        "transformer": "attention bert gpt gpt2 vit",
    },
}
"""Section → name → words, without hyphens, by which others call it."""


def closest(word: str, known: Iterable[str], cutoff: float = 0.55) -> str:
    """Return a suggestion of the word that was meant, or nothing."""
    near = nearest(word, known, 1, cutoff)
    return _question(near[0]) if near else ""


def nearest(word: str, known: Iterable[str], most: int, cutoff: float = 0.55) -> list[str]:
    """Return the words that are most like another; upper and lower case are one."""
    by_key = {name.casefold(): name for name in reversed(list(known))}
    near = difflib.get_close_matches(word.casefold(), by_key, n=most, cutoff=cutoff)
    return [by_key[key] for key in near]


def closest_key(word: str, known: Iterable[str]) -> str:
    """Return a suggestion for a key, or nothing: one that is whole words of it, such as `test` of
    `test_size`, one that it begins, or a similar one."""
    keys, key = list(known), word.casefold()
    inside = [name for name in keys if set(name.split("_")) <= set(key.split("_"))]
    begun = [name for name in keys if len(key) > 2 and name.startswith(key)]
    found = max(inside, key=len, default="") or min(begun, key=len, default="")
    return _question(found) if found else closest(word, keys)


def closest_name(section: str, word: str, names: Sequence[str], members: Sequence[str]) -> str:
    """Return a suggestion for the `name` of a section, or nothing.

    `names` are those that can be chosen, `members` what libraries have: `torchvision:CIFAR10`.
    """
    plain = _plain(word.rpartition(":")[2])
    called = {_plain(name): name for name in names}
    theirs = {_plain(name.rpartition(":")[2]): name for name in reversed(members)}
    for known in (called, _synonyms(section, names), theirs):
        if plain in known:
            return _question(known[plain])
    return closest(word, names, 0.65)


def of_file(section: str, word: str) -> str:
    """Return what to write where a file was named as a source or a network; nothing for others."""
    if "://" in word:
        return "Nothing is downloaded for a job: get the file first, and give its path."
    path = PurePath(word)
    if path.suffix == ".py":
        kind = "my_dataset" if section == "data" else "MyNet"
        return f"Name what is in the file: {word}:{kind}"
    endings = [it.lower() for it in path.suffixes[-2:]]
    ending = endings[0] if endings and endings[-1] in (".gz", ".zip") else path.suffix.lower()
    if section == "data" and ending in FILES:
        return f"To read a file: {section}: {{name: {FILES[ending]}, path: {word}}}"
    if section == "data" and ending in _OTHER_FILES:
        return f"No source reads {ending} files, but a function of yours may: my_code.py:my_dataset"
    if section == "data" and "/" in word:
        return f"To read a folder of pictures: {section}: {{name: image_folder, root: {word}}}"
    return ""


def _synonyms(section: str, names: Sequence[str]) -> dict[str, str]:
    known = _SYNONYMS.get(section, {})
    return {word: name for name in names for word in known.get(name, "").split()}


def _plain(word: str) -> str:
    """Return a word without case, hyphens and blanks, in which spellings differ."""
    return "".join(filter(str.isalnum, word.casefold()))


def _question(name: str) -> str:
    return f"; did you mean '{name}'?"
