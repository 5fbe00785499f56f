"""Synthetic words of vowels, made by a seeded generator: data of their kind without any file."""

from __future__ import annotations

from hpc_dl.data.audio import vowels
from hpc_dl.data.audio.form import FILE, AudioForm
from hpc_dl.data.source import Loaded, Source, Staging
from hpc_dl.data.splits.counts import Holdout, split_facts
from hpc_dl.jobspec.facts import DataFacts, Feature
from hpc_dl.jobspec.sources.synthetic_vowels import SyntheticVowels


class SyntheticVowelsSource(Source[SyntheticVowels]):
    """The words, in memory."""

    def describe(self) -> DataFacts:
        labels = [it.word for it in self._utterances()]
        longest = max(it.samples for it in self._utterances())
        return DataFacts(
            "audio",
            "classify",
            {"audio": Feature("float", (None,), longest=longest, rate=vowels.RATE)},
            {"label": Feature("int", (), vowels.WORDS)},
            **split_facts({"train": labels}, vowels.WORDS, Holdout.of(self.options)),
            synthetic=True,
        )

    def load(self) -> Loaded:
        import torch

        from hpc_dl.data.ragged import Ragged, RaggedSplit
        from hpc_dl.data.sampler import mix_seed

        spoken = [
            torch.from_numpy(vowels.speak(it, mix_seed(self.options.seed, number)))
            for number, it in enumerate(self._utterances())
        ]
        label = torch.tensor([it.word for it in self._utterances()])
        return self.describe(), {
            "train": RaggedSplit({"audio": Ragged.of(spoken)}, {"label": label})
        }

    def assets(self, facts: DataFacts) -> dict[str, str]:
        return {FILE: AudioForm(vowels.RATE, resamples=False, mixes=False).to_json()}

    def staging(self) -> Staging:
        return Staging("made by a generator", staged=True, examples=self.options.examples)

    def _utterances(self) -> list[vowels.Utterance]:
        return vowels.draw(self.options.examples, self.options.seed)
