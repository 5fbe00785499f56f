"""Numbers below a million in German and in English words: einundzwanzig, twenty-one.

In German the ones stand before the tens, and a number is one word, so a network has to divide it
and to change the order. The numbers differ, so no held-out one is trained on.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

from hpc_dl.data.sentence_pairs.files import Pairs
from hpc_dl.data.sentence_pairs.source import PairSource
from hpc_dl.jobspec.sources.synthetic_translation import SyntheticTranslation
from hpc_dl.jobspec.tokens import Kind

MOST = 1_000_000
_ONES_DE = (
    *("null", "ein", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn"),
    *("elf", "zwölf", "dreizehn", "vierzehn", "fünfzehn", "sechzehn", "siebzehn", "achtzehn"),
    "neunzehn",
)
_TENS_DE = ("zwanzig", "dreißig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig")
_ONES_EN = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen"),
    "nineteen",
)
_TENS_EN = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


class SyntheticTranslationSource(PairSource[SyntheticTranslation]):
    """Different numbers that are drawn by a seed."""

    synthetic = True

    @property
    def kinds(self) -> tuple[Kind, Kind]:
        return "characters", "words"

    def pairs(self) -> Mapping[str, Pairs]:
        drawn = random.Random(self.options.seed).sample(range(MOST), self.options.examples)
        return {"train": Pairs([*map(in_german, drawn)], [*map(in_english, drawn)])}


def in_german(number: int) -> str:
    """Return a number below a million in German words."""
    return _german(number) + ("s" if number % 100 == 1 else "")


def _german(number: int) -> str:
    """Return it as it stands before a noun: ein, not eins."""
    thousands, rest = divmod(number, 1000)
    if thousands:
        return f"{_german(thousands)}tausend{_german(rest) if rest else ''}"
    hundreds, rest = divmod(number, 100)
    if hundreds:
        return f"{_german(hundreds)}hundert{_german(rest) if rest else ''}"
    if rest < 20:
        return _ONES_DE[rest]
    tens, ones = divmod(rest, 10)
    return f"{_ONES_DE[ones]}und{_TENS_DE[tens - 2]}" if ones else _TENS_DE[tens - 2]


def in_english(number: int) -> str:
    """Return a number below a million in English words."""
    thousands, rest = divmod(number, 1000)
    if thousands:
        return " ".join([in_english(thousands), "thousand", *([in_english(rest)] if rest else [])])
    hundreds, rest = divmod(number, 100)
    if hundreds:
        return " ".join([_ONES_EN[hundreds], "hundred", *([in_english(rest)] if rest else [])])
    if rest < 20:
        return _ONES_EN[rest]
    tens, ones = divmod(rest, 10)
    return f"{_TENS_EN[tens - 2]}-{_ONES_EN[ones]}" if ones else _TENS_EN[tens - 2]
