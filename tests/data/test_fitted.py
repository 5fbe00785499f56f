"""Data that are prepared by what was fitted on others, for the evaluation of a trained network."""

import pytest

from hpc_dl.data import changes, loading, sources
from hpc_dl.data.source import Fitted
from hpc_dl.errors import UserError
from hpc_dl.jobspec.sources import SOURCES

CONLL = ["Anna B-per\nis O\nin O\nParis B-loc\n\n", "Bob B-per\nis O\nhere O\n\n"]
OTHER_CONLL = ["Carl B-per\nis O\nin O\nRome B-loc\n\n", "nobody O\nis O\nhere O\n\n"]
PLAY = "to be or not to be , that is the question . " * 40
OTHER_PLAY = "the rest is silence . words , words , words . " * 40
TREES = [f"{number}.5,{'ash' if number % 2 else 'elm'}" for number in range(20)]


def conll(folder, which):
    rows = [CONLL, OTHER_CONLL][which]
    (folder / f"{which}.conll").write_text("".join(rows * 12))
    return {"name": "conll", "path": str(folder / f"{which}.conll")}


def parallel(folder, which):
    pairs = [("ein Hund", "a dog"), ("zwei Katzen", "two cats"), ("ein Haus", "a house")]
    others = [("ein Baum", "a tree"), ("zwei Hunde", "two dogs"), ("drei Bäume", "three trees")]
    rows = [pairs, others][which] * 10
    for language, side in (("de", 0), ("en", 1)):
        text = "".join(f"{it[side]}\n" for it in rows)
        (folder / f"{which}.{language}").write_text(text)
    return {"name": "parallel", "path": str(folder / str(which)), "source": "de", "target": "en"}


def text(folder, which):
    (folder / f"{which}.txt").write_text([PLAY, OTHER_PLAY][which])
    path = str(folder / f"{which}.txt")
    return {"name": "text", "path": path, "tokens": "words", "length": 8}


def reviews(folder, which):
    rows = [["good film,1", "bad film,0"], ["fine film,1", "poor one,0"]][which] * 10
    (folder / f"{which}.csv").write_text("\n".join(["words,target", *rows, ""]))
    path = str(folder / f"{which}.csv")
    return {"name": "text_csv", "path": path, "text": "words", "target": "target"}


def trees(folder, which):
    rows = TREES if which == 0 else TREES[1::2]  # one of the classes alone, which is the first
    (folder / f"{which}.csv").write_text("\n".join(["height,tree", *rows, ""]))
    return {"name": "csv", "path": str(folder / f"{which}.csv"), "target": "tree"}


def source(options, folder, fitted=None):
    return sources.build(SOURCES[options["name"]](**options), folder, folder, fitted)


@pytest.mark.parametrize("make", [conll, parallel, text, reviews, trees])
def test_other_data_have_the_tokens_the_tags_and_the_classes_that_were_fitted(tmp_path, make):
    own = source(make(tmp_path, 0), tmp_path)
    facts = own.describe()
    for name, content in own.assets(facts).items():
        (tmp_path / name).write_text(content)
    other = make(tmp_path, 1)
    if make is not trees:  # whose columns are the same
        with pytest.raises(UserError, match="and it was trained on"):
            changes.refuse_misfit(facts, source(other, tmp_path).describe())
    fitted = source(other, tmp_path, Fitted(facts, tmp_path))
    changes.refuse_misfit(facts, fitted.describe())
    splits = loading.load(fitted)
    assert len(splits.test)
    for name, feature in {**facts.inputs, **facts.targets}.items():
        found = {**splits.facts.inputs, **splits.facts.targets}[name]
        assert found.vocabulary == feature.vocabulary
