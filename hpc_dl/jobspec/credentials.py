"""A user and a password in a URI: how to show a text without them.

Whatever is written or printed goes through here, but for one file; see `hpc_dl.tracking.store_uri`.
"""

from __future__ import annotations

import re

_IN_A_URI = re.compile(r"(?<=://)(?!/)(?:[^/\s'\"]*|[^/?#\s'\"@:]*:(?!\d+(?:[^\w%]|$))\S*)@")
"""The second way has a password with characters that belong escaped: it is one all the same."""


def hidden(text: str) -> str:
    """A text with `***` for the user and the password of every URI in it."""
    return _IN_A_URI.sub("***@", text)


def covered(text: str) -> str:
    """The same, and as long as it was: for lines into which a mark points."""
    return _IN_A_URI.sub(lambda found: "*" * (len(found[0]) - 1) + "@", text)
