"""Formatted numbers: with units, currencies, bounds or ranges, dates and times, and the like.

As categories they would lose their order and their distances, so they are refused.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence

_NUMBER = r"(\d[\d.,'’_ \u00a0\u202f]*([eE][+-]?\d+)?|[.,]\d+)"
_BEFORE = r"[(<>≤≥=~≈±+−-]*\s*[$€£¥]?\s*"
_UNITS = (
    "k|K|M|g|mg|kg|t|lb|lbs|oz|m|mm|cm|km|in|ft|mi|s|ms|min|h|hr|hrs|d|y|yr|yrs|l|L|ml|mL|dl|"
    "W|kW|V|A|J|N|Pa|hPa|bar|Hz|kHz|MHz|GHz|B|kB|MB|GB|TB|C|F|EUR|USD|GBP|CHF|bn|mn"
)
_AFTER = rf"\s*({_UNITS}|%|‰|°\s?[CFK]?|[$€£¥]|\+|\s[A-Za-zµ²³/]{{1,12}}[.]?)?\)?"
_ONE = _BEFORE + _NUMBER + _AFTER
_QUOTES = "'\"`´‘’“”"
_FORMS = (
    re.compile(_ONE),
    re.compile(rf"{_ONE}\s*(-|–|to|\.\.|/|:)\s*{_ONE}"),
    re.compile(r"0[xX][0-9a-fA-F]+"),
    re.compile(r"[+-]?(inf|infinity|infinite|∞|nan)", re.IGNORECASE),
)
_DIGITS_OF_A_DATE = 3
"""Least number of digits in a date; names like 1st-4th have fewer."""


def find_formatted_numbers(words: Sequence[str]) -> list[str]:
    """Return those of the words that are numbers, plain or formatted."""
    plain = {word: word.strip(_QUOTES) for word in words}
    dates = _dates(list(plain.values()))
    return [
        word
        for word, it in plain.items()
        if it in dates or any(form.fullmatch(it) for form in _FORMS)
    ]


def _dates(words: Sequence[str]) -> set[str]:
    import pandas

    some = [it for it in words if sum(map(str.isdigit, it)) >= _DIGITS_OF_A_DATE]
    some = [it for it in some if re.search(r"\d\W+\d|\d\W+[A-Za-z]{3}|[A-Za-z]{3}\W+\d", it)]
    if not some:
        return set()
    with warnings.catch_warnings(action="ignore"):
        times = pandas.to_datetime(some, errors="coerce", format="mixed", utc=True)
    return {word for word, time in zip(some, times, strict=True) if not pandas.isna(time)}
