"""Users and passwords in URIs, masked wherever text is shown or written.

Whatever is written or printed goes through here, but for one file; see `hpc_dl.tracking.store_uri`.
"""

from __future__ import annotations

import re

_IN_A_URI = re.compile(r"(?<=://)(?!/)(?:[^/\s'\"]*|[^/?#\s'\"@:]*:(?!\d+(?:[^\w%]|$))\S*)@")
"""The second way has a password with characters that belong escaped: it is one all the same."""


def hidden(text: str) -> str:
    """Return a text with `***` for the user and the password of every URI in it."""
    return _IN_A_URI.sub("***@", text)


def covered(text: str) -> str:
    """Return the same at its old length, for lines with a caret below."""
    return _IN_A_URI.sub(lambda found: "*" * (len(found[0]) - 1) + "@", text)
