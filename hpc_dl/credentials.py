"""A user and a password in a URI: how to show a text without them, and where they are kept.

They stand in one file of the run folder, which its owner alone may read; everything else, the spec
and the plan among it, says `***` in their place.
"""

from __future__ import annotations

import re

_IN_A_URI = re.compile(r"(?<=://)(?!/)[^/\s'\"]*@")


def hidden(text: str) -> str:
    """A text with `***` for the user and the password of every URI in it."""
    return _IN_A_URI.sub("***@", text)


def covered(text: str) -> str:
    """The same, and as long as it was: for lines into which a mark points."""
    return _IN_A_URI.sub(lambda found: "*" * (len(found[0]) - 1) + "@", text)
