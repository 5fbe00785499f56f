"""Inputs of trained networks by name, as whoever calls one has to give them."""

from __future__ import annotations

HOLDS = {
    "image": "pictures, channels first, of floats: bytes divided by 255; what the network "
    "normalises it does itself",
    "video": "clips, (batch, frames, channels, height, width), of floats: bytes divided by 255",
    "table": "rows of the numbers in `columns`, in the units of the data; the network standardises",
    "text": "numbers of tokens, by `assets` of the export; padded at the end with 0",
    "audio": "samples in [-1, 1] at `rate` a second, one channel; padded at the end with 0",
    "sequence": "steps of numbers, in the units of the training data",
    "music": "1 where a key of the piano sounds, else 0; padded at the end with 0",
    "node": "the features of each node",
    "edge": "from which node to which, by number",
    "graph": "the number of the graph of each node",
}
"""By the name of an input: what it holds."""
