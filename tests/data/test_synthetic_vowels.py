"""Synthetic words of vowels: what a plan says of them, and that they are what they are called."""

import numpy as np
import pytest

from hpc_dl.data.audio import vowels
from hpc_dl.jobspec.sources.synthetic_vowels import SyntheticVowels
from tests.support import reading

SOURCE = SyntheticVowels(name="synthetic_vowels", examples=60)


def test_the_facts_say_that_they_are_synthetic_and_how_long_they_are(tmp_path):
    splits = reading.load(SOURCE, tmp_path, tmp_path)
    facts = splits.facts
    assert facts.synthetic
    assert facts.classes == ("ai", "au", "ia", "iu", "ua", "ui")
    longest = max(int(getattr(splits, it).lengths.max()) for it in ("train", "validation", "test"))
    assert facts.inputs["audio"].longest == longest
    assert facts.inputs["audio"].rate == vowels.RATE


def test_the_same_seed_makes_the_same_words_and_another_others():
    first, same, other = (vowels.draw(3, seed) for seed in (0, 0, 1))
    assert first == same != other
    assert np.array_equal(vowels.speak(first[0], 5), vowels.speak(first[0], 5))
    assert not np.array_equal(vowels.speak(first[0], 5), vowels.speak(first[0], 6))


@pytest.mark.parametrize("word", range(6))
def test_a_word_begins_and_ends_with_the_formants_of_its_vowels(word):
    spoken = vowels.speak(vowels.Utterance(word, 4000, 100.0, 1.0, 0.0), seed=0)
    assert spoken.dtype == np.float32
    assert np.abs(spoken).max() <= 1
    for part, vowel in zip((spoken[300:1200], spoken[2800:3700]), vowels.WORDS[word], strict=True):
        strength = np.abs(np.fft.rfft(part * np.hanning(len(part))))
        loudest = strength.argmax() * vowels.RATE / len(part)
        assert abs(loudest - vowels.FORMANTS[vowel][0]) < 120
