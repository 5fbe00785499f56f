"""Malformed specs, each with the places that are pointed at and what is said of them."""

import re
import textwrap

import pytest

from hpc_dl.errors import UserError
from hpc_dl.jobspec.load import load

GOOD = """\
name: run
model: {name: ffnn}
data: {name: digits}
train: {epochs: 3}
"""

NAME, MODEL, DATA, TRAIN = GOOD.splitlines()


def spec(**parts):
    """The good spec with some of its lines replaced, or with further ones."""
    lines = {"name": NAME, "model": MODEL, "data": DATA, "train": TRAIN, **parts}
    return "\n".join(line for line in lines.values() if line) + "\n"


def swept(options):
    """The good spec with a sweep of these options."""
    return spec(more=f"sweep: {{{options}}}")


CASES = {
    # ---- the file as a whole
    "empty file": ("", [(1, 1, "the file is empty")]),
    "only comments": ("# nothing\n", [(1, 1, "the file is empty")]),
    "a list at the top": ("- name: run\n", [(1, 1, "holds a list at its top")]),
    "a word at the top": ("vae\n", [(1, 1, "holds a single value at its top")]),
    "two documents": (GOOD + "---\n" + GOOD, [(5, 1, "a second document")]),
    "all sections missing": (
        "name: run\n",
        [(1, 1, "model is missing"), (1, 1, "data is missing"), (1, 1, "train is missing")],
    ),
    "no name": (spec(name=""), [(1, 1, "name is missing")]),
    # ---- YAML
    "tab for indentation": ("name: run\nmodel:\n\tname: ffnn\n", [(3, 1, "a tab")]),
    "bracket not closed": (spec(model="model: {name: ffnn"), [(3, 5, "that began in line 2")]),
    "list not closed": (
        spec(model="model: {name: ffnn, hidden: [1, 2}"),
        [(2, 34, "that began in line 2")],
    ),
    "quote not closed": (spec(name="name: 'run"), [(4, 19, "not YAML")]),
    "colon too many": (spec(name="name: a: b"), [(1, 8, "a ':' too many")]),
    "key twice": (
        spec(more="train: {epochs: 4}"),
        [(5, 1, "'train' is there twice: it was already given in line 4")],
    ),
    "key twice in a section": (
        spec(train="train: {epochs: 3, seed: 1, epochs: 4}"),
        [(4, 29, "'epochs' is there twice")],
    ),
    "python tag": (
        spec(name="name: !!python/object:os.system x"),
        [(1, 7, "tag !!python/object:os.system has no place")],
    ),
    "list as a key": (spec(more="? [a, b]\n: 1"), [(5, 3, "a key has to be a word")]),
    "undefined alias": (spec(model="model: *nothing"), [(2, 8, "undefined alias")]),
    "control character": ("name: r\x07n\n", [(1, 1, "not YAML")]),
    # ---- unknown keys, with a guess
    "top-level key": (
        spec(more="trian: {}"),
        [(5, 1, "unknown key 'trian'; did you mean 'train'?")],
    ),
    "model option": (
        spec(model="model: {name: ffnn, hiden: [3]}"),
        [(2, 21, "unknown key 'hiden' in model; did you mean 'hidden'?")],
    ),
    "option of another model": (
        spec(model="model: {name: ffnn, latent_dim: 3}"),
        [(2, 21, "unknown key 'latent_dim' in model")],
    ),
    "option of another optimizer": (
        spec(train="train: {epochs: 3, optimizer: {name: adam, momentum: 0.9}}"),
        [(4, 44, "unknown key 'momentum' in train.optimizer")],
    ),
    "data option": (
        spec(data="data: {name: digits, batchsize: 3}"),
        [(3, 22, "did you mean 'batch_size'?")],
    ),
    "train option": (spec(train="train: {epohcs: 3}"), [(4, 9, "did you mean 'epochs'?")]),
    "resources option": (spec(more="resources: {node: 2}"), [(5, 13, "did you mean 'nodes'?")]),
    "checkpoint option": (spec(more="checkpoint: {evry: 1 epoch}"), [(5, 14, "'every'?")]),
    "tracking option": (spec(more="tracking: {url: x}"), [(5, 12, "did you mean 'uri'?")]),
    "merge key": (spec(more="<<: {seed: 1}"), [(5, 1, "unknown key '<<'")]),
    "merge key among options of one's own": (
        spec(model="model: {name: 'a.py:N', <<: {x: 1}}"),
        [(2, 25, "unknown key '<<': a spec has no merge keys")],
    ),
    "merge keys from an anchor, and a list of them": (
        spec(
            data="data: &a {name: digits}",
            train="train: {epochs: 3, schedule: {name: cosine, <<: [*a, *a]}}",
            more="resources: {slurm: {<<: *a}}",
        ),
        [(4, 45, "no merge keys"), (5, 21, "no merge keys")],
    ),
    "tag of a word": (
        spec(train="train: {epochs: !!str 3}"),
        [(4, 17, "the tag !!str has no place")],
    ),
    "tag without a name": (spec(train="train: {epochs: ! 3}"), [(4, 17, "the tag ! has no")]),
    "tag of a section": (spec(model="model: !!map {name: ffnn}"), [(2, 8, "the tag !!map has")]),
    "tag of a key": (spec(model="!x model: {name: ffnn}"), [(2, 1, "the tag !x has no place")]),
    "number of five thousand digits": (
        spec(train=f"train: {{epochs: {'9' * 5000}}}"),
        [(4, 17, "has to be a whole number")],
    ),
    # ---- options under the names that they had
    "running average": (
        spec(train="train: {epochs: 3, average: 0.9}"),
        [(4, 20, "train.average is called train.ema_decay now")],
    ),
    "going back": (
        spec(train="train: {epochs: 3, on_nonfinite: back}"),
        [(4, 34, "train.on_nonfinite: back is called rollback now")],
    ),
    "only some classes": (
        spec(data="data: {name: digits, only: [3]}"),
        [(3, 22, "data.only is called data.include_classes now")],
    ),
    "judge": (
        spec(model="model: {name: gan, judge: x}"),
        [(2, 20, "model.judge is called model.classifier now")],
    ),
    "judge of a model without a classifier": (
        spec(model="model: {name: ffnn, judge: x}"),
        [(2, 21, "unknown key 'judge' in model")],
    ),
    # ---- names that choose
    "unknown model": (
        spec(model="model: {name: vea}"),
        [(2, 15, "there is no model 'vea'; did you mean 'vae'?")],
    ),
    "unknown source": (
        spec(data="data: {name: digts}"),
        [(3, 14, "there is no data 'digts'; did you mean 'digits'?")],
    ),
    "unknown optimizer": (
        spec(train="train: {epochs: 3, optimizer: {name: adamv}}"),
        [(4, 38, "there is no train.optimizer 'adamv'; did you mean 'adam'?")],
    ),
    "unknown schedule": (
        spec(train="train: {epochs: 3, schedule: {name: cosin}}"),
        [(4, 37, "did you mean 'cosine'?")],
    ),
    "model without a name": (spec(model="model: {hidden: [3]}"), [(2, 1, "model.name is missing")]),
    "model name a number": (spec(model="model: {name: 5}"), [(2, 15, "has to be a word, not 5")]),
    "model name empty": (spec(model="model: {name: }"), [(2, 14, "has to be a word, not empty")]),
    "own model without a class": (
        spec(model="model: {name: 'net.py:'}"),
        [(2, 15, "model.name cannot be 'net.py:'")],
    ),
    "CoNLL without a file": (
        spec(data="data: {name: conll, column: 3}"),
        [(3, 1, "data.path is missing")],
    ),
    "a column of tags by name": (
        spec(data="data: {name: conll, path: x, column: ner}"),
        [(3, 38, "data.column has to be a whole number, not 'ner'")],
    ),
    "a share of posts that have their own splits": (
        spec(data="data: {name: wnut17, folds: 3, fold: 0}"),
        [(3, 29, "these data have a test split of their own")],
    ),
    "a random field that is no yes or no": (
        spec(model="model: {name: lstm, crf: viterbi}"),
        [(2, 26, "model.crf has to be true or false, not 'viterbi'")],
    ),
    # ---- values of another type
    "word for a number": (
        spec(train="train: {epochs: three}"),
        [(4, 17, "train.epochs has to be a whole number, not 'three'")],
    ),
    "quoted number": (spec(train="train: {epochs: '3'}"), [(4, 17, "a whole number, not '3'")]),
    "fraction for a whole number": (
        spec(data="data: {name: digits, batch_size: 1.5}"),
        [(3, 34, "a whole number, not 1.5")],
    ),
    "true for a number": (spec(train="train: {epochs: true}"), [(4, 17, "not true")]),
    "yes for true": (
        spec(train="train: {epochs: 3, optimizer: {name: sgd, nesterov: yes}}"),
        [(4, 53, "has to be true or false, not 'yes'")],
    ),
    "a number as a name": (spec(name="name: 2024"), [(1, 7, "name has to be a word, not 2024")]),
    "nothing as a value": (spec(train="train: {epochs: 3, seed: }"), [(4, 25, "not empty")]),
    "a word for a list": (
        spec(model="model: {name: ffnn, hidden: 512}"),
        [(2, 29, "model.hidden has to be a list, like [64, 32], not 512")],
    ),
    "a word inside a list": (
        spec(model="model: {name: ffnn, hidden: [512, x]}"),
        [(2, 35, "model.hidden.1 has to be a whole number, not 'x'")],
    ),
    "a word for a section": (spec(model="model: vae"), [(2, 8, "a mapping of keys to values")]),
    "a list for a section": (
        spec(train="train: [epochs]"),
        [(4, 8, "train has to be a mapping of keys to values, not a list")],
    ),
    "a mapping for an sbatch option": (
        spec(more="resources: {slurm: {qos: {a: 1}}}"),
        [(5, 26, "resources.slurm.qos has to be")],
    ),
    "not a number": (
        spec(train="train: {epochs: 3, clip_norm: .nan}"),
        [(4, 31, "has to be a finite number")],
    ),
    "infinite": (spec(train="train: {epochs: 3, clip_norm: .inf}"), [(4, 31, "finite number")]),
    # ---- values out of range
    "zero epochs": (spec(train="train: {epochs: 0}"), [(4, 17, "has to be above 0, not 0")]),
    "negative seed": (spec(train="train: {epochs: 3, seed: -1}"), [(4, 26, "at least 0, not -1")]),
    "learning rate zero": (
        spec(train="train: {epochs: 3, optimizer: {name: adam, lr: 0}}"),
        [(4, 48, "train.optimizer.lr has to be above 0")],
    ),
    "dropout of one": (
        spec(model="model: {name: ffnn, dropout: 1}"),
        [(2, 30, "model.dropout has to be below 1, not 1")],
    ),
    "validation of all": (
        spec(data="data: {name: digits, validation: 1.0}"),
        [(3, 34, "data.validation has to be below 1")],
    ),
    "one beta": (
        spec(train="train: {epochs: 3, optimizer: {name: adam, betas: [0.9]}}"),
        [(4, 51, "has to have at least 2 values, not 1")],
    ),
    "unknown precision": (
        spec(train="train: {epochs: 3, precision: bf17}"),
        [(4, 31, "train.precision cannot be 'bf17'; did you mean 'bf16'?")],
    ),
    "unknown way to compile": (
        spec(train="train: {epochs: 3, compile: max-autotune}"),
        [(4, 29, "train.compile cannot be 'max-autotune'")],
    ),
    "a switch instead of a way to compile": (
        spec(train="train: {epochs: 3, compile: true}"),
        [(4, 29, "train.compile cannot be true")],
    ),
    "tf32 as a precision of its own": (
        spec(train="train: {epochs: 3, tf32: high}"),
        [(4, 26, "train.tf32 has to be true or false, not 'high'")],
    ),
    "unknown activation": (
        spec(model="model: {name: ffnn, activation: rleu}"),
        [(2, 33, "did you mean 'relu'?")],
    ),
    "three channels too few": (
        spec(data="data: {name: image_folder, root: x, channels: 2}"),
        [(3, 47, "data.channels cannot be 2")],
    ),
    "folder without a root": (
        spec(data="data: {name: image_folder}"),
        [(3, 1, "data.root is missing")],
    ),
    "a language that Multi30k does not have": (
        spec(data="data: {name: multi30k, source: ru}"),
        [(3, 32, "data.source")],
    ),
    "pairs without their languages": (
        spec(data="data: {name: parallel, path: x}"),
        [(3, 1, "data.source is missing"), (3, 1, "data.target is missing")],
    ),
    "more numbers than there are": (
        spec(data="data: {name: synthetic_translation, examples: 1000000}"),
        [(3, 47, "data.examples has to be at most 200000")],
    ),
    "a rate of 0": (
        spec(data="data: {name: fsdd, sample_rate: 0}"),
        [(3, 33, "data.sample_rate has to be above 0")],
    ),
    "recordings of no length": (
        spec(data="data: {name: audio_folder, root: x, longest: 0}"),
        [(3, 46, "data.longest has to be above 0")],
    ),
    "folds of digits that have a test": (
        spec(data="data: {name: fsdd, folds: 5, fold: 0}"),
        [(3, 27, "these data have a test split of their own, and cannot be folded")],
    ),
    "one mel band": (
        spec(model="model: {name: lstm, log_mel: {bands: 1}}"),
        [(2, 38, "model.log_mel.bands has to be at least 2")],
    ),
    "a window in seconds": (
        spec(model="model: {name: lstm, log_mel: {window: 0.025}}"),
        [(2, 39, "model.log_mel.window has to be at least 1")],
    ),
    "frames that do not meet": (
        spec(model="model: {name: lstm, log_mel: {window: 10, hop: 25}}"),
        [(2, 30, "between frames of 10 ms that begin every 25 ms would not be heard")],
    ),
    "log-mel features by another name": (
        spec(model="model: {name: lstm, log_mel: {n_mels: 40}}"),
        [(2, 31, "unknown key 'n_mels' in model.log_mel")],
    ),
    "slash in a name": (spec(name="name: a/b"), [(1, 7, "name cannot be 'a/b'")]),
    "empty name": (spec(name="name: ''"), [(1, 7, "name cannot be ''")]),
    # ---- values with a unit
    "nonsense for a time": (
        spec(more="resources: {time: soon}"),
        [(5, 19, "'soon' is not a time; Slurm's forms are minutes")],
    ),
    "too many colons in a time": (
        spec(more="resources: {time: '1:2:3:4'}"),
        [(5, 19, "not a time")],
    ),
    "no time at all": (spec(more="resources: {time: 0}"), [(5, 19, "the time limit is zero")]),
    "memory in words": (spec(more="resources: {mem: lots}"), [(5, 18, "not a memory size")]),
    "memory with a fraction": (spec(more="resources: {mem: 1.5G}"), [(5, 18, "like 4000M or 32G")]),
    "unknown interval": (
        spec(more="checkpoint: {every: now and then}"),
        [(5, 21, "write it like 1 epoch, 500 steps or 10 min")],
    ),
    "half a step": (spec(more="checkpoint: {every: 0.5 steps}"), [(5, 21, "are whole numbers")]),
    # ---- parts that do not go together
    "epochs and steps": (
        spec(train="train: {epochs: 3, steps: 4}"),
        [(4, 8, "give the length of the training as either epochs or steps")],
    ),
    "neither epochs nor steps": (
        spec(train="train: {seed: 1}"),
        [(4, 8, "either epochs or steps")],
    ),
    "two ranks a GPU": (
        spec(more="resources: {gpus_per_node: 2, tasks_per_node: 4}"),
        [(5, 12, "one rank runs on each GPU")],
    ),
    "nesterov without momentum": (
        spec(train="train: {epochs: 3, optimizer: {name: sgd, nesterov: true, momentum: 0.0}}"),
        [(4, 31, "nesterov needs a momentum above 0")],
    ),
    # ---- sequences
    "a note as long as no frame": (
        spec(data="data: {name: jsb_chorales, resolution: eighth}"),
        [(3, 40, "data.resolution cannot be 'eighth'")],
    ),
    "half a frame": (
        spec(data="data: {name: midi, path: x, frames_per_quarter: 0.5}"),
        [(3, 49, "data.frames_per_quarter has to be a whole number, not 0.5")],
    ),
    "no frames": (
        spec(data="data: {name: piano_rolls, path: x, frames_per_quarter: 0}"),
        [(3, 56, "data.frames_per_quarter has to be above 0, not 0")],
    ),
    "a number for yes": (
        spec(data="data: {name: synthetic_music, carry_state: 1}"),
        [(3, 44, "data.carry_state has to be true or false, not 1")],
    ),
    "transposed downwards": (
        spec(data="data: {name: synthetic_music, augment: {transpose: -1}}"),
        [(3, 52, "data.augment.transpose has to be at least 0, not -1")],
    ),
    "too many steps to profile": (
        spec(train="train: {epochs: 1, profile: 1000}"),
        [(4, 29, "train.profile has to be at most 100, not 1000")],
    ),
    "flipped in another manner": (
        spec(data="data: {name: digits, augment: {flip: always}}"),
        [(3, 38, "data.augment.flip has to be true or false, not 'always'")],
    ),
    "a season longer than the window": (
        spec(data="data: {name: series, window: 8, season: 9}"),
        [(3, 7, "a window of 8 steps holds no season of 9")],
    ),
    "a forecast of nothing, of no series": (
        spec(data="data: {name: series, horizon: 0, columns: []}"),
        [
            (3, 31, "data.horizon has to be above 0, not 0"),
            (3, 43, "data.columns has to have at least 1 values, not 0"),
        ],
    ),
    "a series twice": (
        spec(data="data: {name: series, path: x, columns: [load, load]}"),
        [(3, 40, "data.columns: 'load' is there several times")],
    ),
    "a series that is all held out": (
        spec(data="data: {name: series, validation: 0.5, test: 0.6}"),
        [(3, 7, "validation 0.5 and test 0.6 are the whole of it: nothing is left to train on")],
    ),
    "a text that is all held out by the test, but for the default": (
        spec(data="data: {name: text, test: 0.9}"),
        [(3, 7, "validation 0.1 and test 0.9 are the whole of it: nothing is left to train on")],
    ),
    "a seed of parts that follow each other": (
        spec(data="data: {name: series, split_seed: 3}"),
        [(3, 34, "these data have all splits of their own, which it does not change")],
    ),
    "clips of one frame, of a side of a number": (
        spec(data="data: {name: clip_folder, root: x, frames: 1, size: 64}"),
        [
            (3, 44, "data.frames has to be at least 2, not 1"),
            (3, 53, "data.size has to be a list, like [64, 32], not 64"),
        ],
    ),
    "a group that is not found": (
        spec(data="data: {name: clip_folder, root: x, groups: film}"),
        [(3, 44, "data.groups: 'film' has no (...) around what it is to find")],
    ),
    "digits of nobody": (
        spec(data="data: {name: synthetic_moving_digits, digits: mnits}"),
        [(3, 47, "data.digits cannot be 'mnits'; did you mean 'mnist'?")],
    ),
    "a frame for no digit": (
        spec(data="data: {name: synthetic_moving_digits, side: 20}"),
        [(3, 45, "data.side has to be at least 28, not 20")],
    ),
    "tokens of an unknown kind, and no end of them": (
        spec(data="data: {name: text_folder, root: x, tokens: word, longest: 0}"),
        [
            (3, 44, "data.tokens cannot be 'word'; did you mean 'words'?"),
            (3, 59, "data.longest has to be above 0, not 0"),
        ],
    ),
    "a vocabulary of all": (
        spec(data="data: {name: text_folder, root: x, vocabulary: all}"),
        [(3, 48, "data.vocabulary has to be a whole number, not 'all'")],
    ),
    "a text that is filled in": (
        spec(data="data: {name: text_csv, path: x, missing: mean}"),
        [(3, 42, "data.missing cannot be 'mean'")],
    ),
    "a separator of a format that has none": (
        spec(data="data: {name: text_parquet, path: x, sep: ','}"),
        [(3, 37, "unknown key 'sep' in data")],
    ),
    "texts to regress": (
        spec(data="data: {name: text_csv, path: x, task: regress}"),
        [(3, 33, "unknown key 'task' in data")],
    ),
    "a class that is not found": (
        spec(data="data: {name: fasta, path: x, label: '(class'}"),
        [(3, 37, "data.label: '(class' is no regular expression: missing )")],
    ),
    "classes from two places": (
        spec(data="data: {name: fasta, path: x, label: '_(.)', labels: x.csv}"),
        [(3, 7, "label finds the classes in the headers, labels in a table: give one")],
    ),
    "letters that are dropped": (
        spec(data="data: {name: fasta, path: x, ambiguous: drop}"),
        [(3, 41, "data.ambiguous cannot be 'drop'")],
    ),
    "folds without a fold": (
        spec(data="data: {name: splice, folds: 10}"),
        [(3, 7, "folds and fold go together")],
    ),
    "a fold too many": (
        spec(data="data: {name: splice, folds: 10, fold: 10}"),
        [(3, 39, "there are 10 folds, 0 to 9, not 10")],
    ),
    "no words that are known": (
        spec(data="data: {name: conll, path: x, colum: 2, vocabulary: 0}"),
        [
            (3, 30, "unknown key 'colum' in data; did you mean 'column'?"),
            (3, 52, "data.vocabulary has to be above 0, not 0"),
        ],
    ),
    "a translation into the same language": (
        spec(data="data: {name: parallel, path: x, source: de, target: de}"),
        [(3, 7, "source and target are one language, de")],
    ),
    "a translation into the language of the default": (
        spec(data="data: {name: multi30k, source: en}"),
        [(3, 7, "source and target are one language, en")],
    ),
    "a language that is a number": (
        spec(data="data: {name: parallel, path: x, source: 1, target: en, tokens: bpe}"),
        [
            (3, 41, "data.source has to be a word, not 1"),
            (3, 64, "data.tokens cannot be 'bpe'"),
        ],
    ),
    "a rate with a unit": (
        spec(data="data: {name: audio_folder, root: x, sample_rate: 8k, mix: mono}"),
        [
            (3, 50, "data.sample_rate has to be a whole number, not '8k'"),
            (3, 59, "data.mix has to be true or false, not 'mono'"),
        ],
    ),
    "seconds with a unit": (
        spec(data="data: {name: audio_folder, root: x, longest: 1 s}"),
        [(3, 46, "data.longest has to be a number, not '1 s'")],
    ),
    "frames without a middle": (
        spec(model="model: {name: lstm, frames: {span: 4}}"),
        [(2, 36, "model.frames.span: 4 frames have no middle one")],
    ),
    "pooling by another name": (
        spec(model="model: {name: lstm, cell: gur, pooling: average}"),
        [
            (2, 27, "model.cell cannot be 'gur'; did you mean 'gru'?"),
            (2, 41, "model.pooling cannot be 'average'"),
        ],
    ),
    "heads that do not share the width": (
        spec(model="model: {name: transformer, width: 10, heads: 4}"),
        [(2, 8, "4 heads cannot share a width of 10")],
    ),
    # ---- CSV
    "no encoding of files": (
        spec(data="data: {name: csv, path: a.csv, target: x, encoding: idna}"),
        [(3, 53, "there is no encoding 'idna'; latin-1 is one")],
    ),
    "one sign for two things": (
        spec(data="data: {name: csv, path: a.csv, target: x, decimal: ',', thousands: ','}"),
        [(3, 7, "',' cannot be the decimal sign and between thousands")],
    ),
    "the separator begins remarks": (
        spec(data="data: {name: csv, path: a.csv, target: x, sep: ';', comment: ';'}"),
        [(3, 7, "';' begins remarks, and is no other sign")],
    ),
    # ---- sweeps, which stand below the good spec from line 5 on
    "sweep of nothing": (swept(""), [(5, 8, "sweep: has nothing to try")]),
    "sweep option": (
        swept("parameter: {model.hidden: [[3]]}"),
        [(5, 9, "unknown key 'parameter' in sweep; did you mean 'parameters'?")],
    ),
    "method that is none": (
        swept("seeds: 2, method: gird"),
        [(5, 27, "sweep.method cannot be 'gird'; did you mean 'grid'?")],
    ),
    "one value": (
        swept("parameters: {train.seed: 1}"),
        [(5, 34, "sweep.parameters.train.seed: has to be a list of the values to try")],
    ),
    "options within options": (
        swept("parameters: {train: {seed: [1, 2]}}"),
        [(5, 29, "write the options of train one by one, like train.")],
    ),
    "distribution that is none": (
        swept("parameters: {train.clip_norm: {loguniform: [1, 2]}}"),
        [(5, 39, "a list of the values to try, or one of uniform, log_uniform, int_uniform")],
    ),
    "two distributions at once": (
        swept("parameters: {train.clip_norm: {uniform: [1, 2], log_uniform: [1, 2]}}"),
        [(5, 39, "or one of uniform, log_uniform")],
    ),
    "no values": (
        swept("parameters: {train.seed: []}"),
        [(5, 34, "sweep.parameters.train.seed has to have at least 1 value")],
    ),
    "value twice": (
        swept("parameters: {train.seed: [1, 2, 1]}"),
        [(5, 41, "sweep.parameters.train.seed.2: is there twice: it is value 1, too")],
    ),
    "choice twice": (
        swept("parameters: {train.seed: {choice: [1, 1]}}"),
        [(5, 47, "is there twice: it is value 1, too")],
    ),
    "value that is not finite": (
        swept("parameters: {train.clip_norm: [1.0, .inf]}"),
        [(5, 45, "is not finite")],
    ),
    "logarithm of zero": (
        swept("parameters: {train.clip_norm: {log_uniform: [0, 1]}}, method: random, trials: 2"),
        [(5, 54, "has to be above 0, not 0")],
    ),
    "limits the wrong way round": (
        swept("parameters: {train.clip_norm: {uniform: [2, 1]}}, method: random, trials: 2"),
        [(5, 49, "the first of two has to be below the second")],
    ),
    "three limits": (
        swept("parameters: {train.clip_norm: {uniform: [1, 2, 3]}}, method: random, trials: 2"),
        [(5, 49, "has to have at most 2 values, not 3")],
    ),
    "limits of whole numbers that are none": (
        swept("parameters: {train.seed: {int_uniform: [1, 2.5]}}, method: random, trials: 2"),
        [(5, 52, "has to be a whole number, not 2.5")],
    ),
    "swept resources": (
        swept("parameters: {resources.nodes: [1, 2]}"),
        [(5, 39, "sweep.parameters.resources.nodes: is the same for all trials")],
    ),
    "swept name": (swept("parameters: {name: [a, b]}"), [(5, 28, "is the same for all trials")]),
    "swept in parameters and a case": (
        swept("parameters: {train.seed: [1, 2]}, cases: [{train.seed: 3}, {}]"),
        [(5, 64, "sweep.cases.0.train.seed: is in parameters, too")],
    ),
    "swept part of what is swept": (
        swept("parameters: {train.optimizer.lr: [0.1], train.optimizer: [{name: sgd}]}"),
        [(5, 42, "is a part of train.optimizer, which is swept as well")],
    ),
    "case twice": (
        swept("cases: [{train.seed: 1}, {train.seed: 2}, {train.seed: 1}]"),
        [(5, 51, "sweep.cases.2: is there twice: it is number 1")],
    ),
    "zip of unequal lengths": (
        swept("zip: {train.seed: [1, 2], train.clip_norm: [1.0]}"),
        [(5, 52, "sweep.zip.train.clip_norm: has 1 values, and train.seed has 2")],
    ),
    "zip of one": (swept("zip: {train.seed: [1, 2]}"), [(5, 27, "has no other option to go with")]),
    "configurations beside parameters": (
        swept("configurations: [{train.seed: 1}], parameters: {train.clip_norm: [1.0]}"),
        [(5, 25, "sweep.configurations: and parameters exclude each other")],
    ),
    "configurations that are drawn": (
        swept("configurations: [{train.seed: 1}], method: random, trials: 1"),
        [(5, 52, "random draws values, but configurations are given")],
    ),
    "grid of a distribution": (
        swept("parameters: {train.clip_norm: {uniform: [1, 2]}}, method: grid"),
        [(5, 39, "a grid lists its values; to draw them, write method: random and trials: 20")],
    ),
    "distribution without a number of trials": (
        swept("parameters: {train.clip_norm: {uniform: [1, 2]}}"),
        [(5, 8, "sweep: random needs the number of trials, like trials: 20")],
    ),
    "asha of a distribution without a number of trials": (
        swept("parameters: {train.clip_norm: {uniform: [1, 2]}}, method: asha"),
        [(5, 39, "to draw them, write trials: 20")],
    ),
    "random without a number of trials": (
        swept("parameters: {train.seed: [1, 2]}, method: random"),
        [(5, 51, "random needs the number of trials, like trials: 20")],
    ),
    "more trials than a grid has": (
        swept("parameters: {train.seed: [1, 2]}, trials: 3"),
        [(5, 51, "there are 2 configurations, not 3")],
    ),
    "more draws than there are values": (
        swept("parameters: {train.seed: {int_uniform: [1, 4]}}, method: random, trials: 5"),
        [(5, 82, "there are 4 configurations, not 5")],
    ),
    "too many trials": (
        swept("parameters: {train.seed: {int_uniform: [1, 99999]}}, method: random, trials: 20000"),
        [(5, 86, "20,000 trials are more than 10,000")],
    ),
    "seeds of swept seeds": (
        swept("parameters: {train.seed: [1, 2]}, seeds: 3"),
        [(5, 34, "and seeds exclude each other")],
    ),
    "seeds of trials that are ended early": (
        swept("parameters: {train.clip_norm: [1.0, 2.0]}, method: asha, seeds: 3"),
        [(5, 73, "asha does not train every trial to its end")],
    ),
    "lengths of trials with rungs": (
        swept("parameters: {train.epochs: [3, 4]}, method: asha"),
        [(5, 36, "all trials of asha are of one length")],
    ),
    "rungs of a grid": (
        swept("parameters: {train.seed: [1, 2]}, min_epochs: 2"),
        [(5, 55, "is for asha and hyperband, not grid")],
    ),
    "metric of the test": (
        swept("seeds: 2, metric: test/loss"),
        [(5, 27, "has to be one of the validation, like val/loss: the test is for the end")],
    ),
    "goal that is none": (
        swept("seeds: 2, goal: min"),
        [(5, 25, "sweep.goal cannot be 'min'")],
    ),
    "no jobs at once": (
        swept("seeds: 2, concurrent: 0"),
        [(5, 31, "sweep.concurrent has to be above 0, not 0")],
    ),
}


@pytest.mark.parametrize("text, expected", CASES.values(), ids=CASES.keys())
def test_a_malformed_spec_is_refused_with_its_places_and_reasons(tmp_path, text, expected):
    path = tmp_path / "job.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        load(path)
    said = caught.value.message
    places = re.findall(rf"^{re.escape(str(path))}:(\d+):(\d+): (.*)$", said, re.MULTILINE)
    assert len(places) == len(expected), said
    for (line, column, message), (at_line, at_column, fragment) in zip(
        places, expected, strict=True
    ):
        assert (int(line), int(column)) == (at_line, at_column), said
        assert fragment in message, said
    assert caught.value.exit_code == 2
    assert "pydantic" not in said


def test_there_are_at_least_sixty_of_them():
    assert len(CASES) >= 60


def test_the_line_is_shown_with_a_caret_under_the_word(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text(spec(model="model: {name: ffnn, hiden: [3]}"))
    with pytest.raises(UserError) as caught:
        load(path)
    assert caught.value.message == textwrap.dedent(
        f"""\
        {path}:2:21: unknown key 'hiden' in model; did you mean 'hidden'?
          2 | model: {{name: ffnn, hiden: [3]}}
            |                     ^^^^^
          Allowed: name, init_from, norm, residual, hidden, activation, dropout"""
    )


def test_all_errors_of_a_file_are_reported_at_once(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text(
        "name: a b\nmodel: {name: vea}\ndata: {name: digits, batch_size: 0, x: 1}\n"
        "train: {epochs: many, seed: 1, seed: 2}\n"
    )
    with pytest.raises(UserError) as caught:
        load(path)
    places = re.findall(r":(\d+):(\d+): ", caught.value.message)
    assert places == [("1", "7"), ("2", "15"), ("3", "34"), ("3", "37"), ("4", "17"), ("4", "32")]


@pytest.mark.parametrize(
    "content, said",
    [
        (b"\xff\xfe\x00broken", "job.yaml:1: not UTF-8 text"),
        (b"a: 1\n\xe9\n", "job.yaml:2: not UTF-8 text"),
        (b"x" * 10_000_000, "larger than 1 MB"),
    ],
    ids=["UTF-16", "latin-1", "10 MB"],
)
def test_a_file_that_is_no_text_or_far_too_large_is_refused(tmp_path, content, said):
    path = tmp_path / "job.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=re.escape(said)):
        load(path)


def test_anchors_that_explode_are_refused_and_not_followed(tmp_path):
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    path = tmp_path / "job.yaml"
    path.write_text("\n".join(levels))
    with pytest.raises(UserError, match="do anchors repeat each other"):
        load(path)


def test_brackets_without_end_are_refused(tmp_path):
    path = tmp_path / "job.yaml"
    path.write_text("a: " + "[" * 50_000)
    with pytest.raises(UserError, match=r"nested too deeply|not YAML"):
        load(path)


def test_a_file_that_is_not_there_is_said_with_those_that_are(tmp_path):
    (tmp_path / "vae.yaml").write_text(GOOD)
    with pytest.raises(UserError, match="no file") as caught:
        load(tmp_path / "vea.yaml")
    assert "vae.yaml" in caught.value.hint
    with pytest.raises(UserError, match="is a folder"):
        load(tmp_path)


@pytest.mark.parametrize(
    "text, hint",
    [
        (spec(data="data: {name: digits, augment: {flip: always}}"), "Or: alternate"),
        (spec(train="train: {epochs: 1, optimizer: {name: adam, lr: fast}}"), "Or: auto"),
    ],
)
def test_the_words_that_stand_for_a_number_or_a_choice_are_told(tmp_path, text, hint):
    path = tmp_path / "job.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        load(path)
    assert hint in f"{caught.value.message} {caught.value.hint}"
