"""What users' functions return, and do, as they are called for their data."""

import signal
import textwrap

import pytest

from hpc_dl.data import describe
from tests.support import reading
from tests.support.unusual_data import Case, check

BEGIN = """\
import os, sys
import numpy as np, pandas as pd, torch

N = 40
X = np.random.default_rng(0).random((N, 3), dtype=np.float32)
Y = np.arange(N) % 2
IMAGES = np.random.default_rng(0).integers(0, 256, (N, 1, 6, 6), dtype=np.uint8)

def table(x=X, y=Y, **more):
    return {"train": {"table": x, "label": y}, **more}

def targets(y, **more):
    return {"train": {"table": X, "target": y}, **more}

class Examples(torch.utils.data.Dataset):
    def __len__(self): return N
    def __getitem__(self, number): return X[number], Y[number]
"""


def function(body, head="data()", **options):
    """A function with these lines as its body."""

    def make(folder):
        lines = textwrap.indent(body, "    ")
        (folder / "mine.py").write_text(f"{BEGIN}\ndef {head}:\n{lines}\n")
        return {"name": "mine.py:data", **options}

    return make


def refused(what, value, seen):
    return Case(what, function(f"return {value}"), "submission", seen)


def trains(what, value, seen=""):
    return Case(what, function(f"return {value}"), "trains", seen)


def fails(what, body, seen, head="data()", **options):
    return Case(what, function(body, head, **options), "submission", seen)


CASES = [
    # ---- what it returns
    refused("nothing", "None", "returned nothing\nDoes it lack a `return`?"),
    refused(
        "a tuple (x, y)", "X, Y", 'returned a tuple of 2\nReturn {"train": {"table": x, "label"'
    ),
    refused("a list", "[X, Y]", "returned a list of 2"),
    refused("an array", "X", "returned a ndarray"),
    refused("a DataFrame", "pd.DataFrame(X)", "returned a DataFrame…to_parquet"),
    refused("a Dataset of torch", "Examples()", "returned an Examples…numpy.stack"),
    refused(
        "a DataLoader",
        "torch.utils.data.DataLoader(Examples())",
        "returned a DataLoader…of all examples, as from loader.dataset",
    ),
    refused("a generator", "((x, y) for x, y in zip(X, Y))", "A generator is not read"),
    refused("a path", "'/data/x.npy'", "returned a str\nRead the file, and return what is in it"),
    refused("an empty mapping", "{}", "returned an empty dict"),
    refused("tensors without a split", "table()['train']", "Put it one level down"),
    refused("a split of a tuple", "{'train': (X, Y)}", "train has to be a mapping…is a tuple of 2"),
    refused("a split of a Dataset", "{'train': Examples()}", "is an Examples…numpy.stack"),
    refused("other names of splits", "table(val=table()['train'])", "Did you mean validation?"),
    refused(
        "other names of tensors",
        "{'train': {'images': IMAGES, 'labels': Y}}",
        "'images' is none of image, sequence, table, label, target, group\nDid you mean image?",
    ),
    refused("no label", "{'train': {'table': X}}", "but is a dict of table"),
    # ---- examples
    trains("float64", "table(X.astype(float))"),
    trains("half precision", "table(torch.tensor(X).half())"),
    trains("bfloat16", "table(torch.tensor(X).bfloat16())"),
    trains("big-endian numbers", "table(X.astype('>f8'), Y.astype('>i4'))"),
    trains("an array turned round", "table(X[::-1], Y[::-1])"),
    trains("a DataFrame's columns", "table(pd.DataFrame(X), pd.Series(Y))"),
    trains(
        "a DataFrame of numbers and truth values", "table(pd.DataFrame({'a': X[:, 0], 'b': Y > 0}))"
    ),
    refused(
        "a DataFrame with words",
        "table(pd.DataFrame({'age': X[:, 0], 'colour': ['red', 'blue'] * 20}))",
        "table: columns are no numbers: 'colour'…pandas.get_dummies(frame, dtype=float)",
    ),
    trains("a tensor that requires a gradient", "table(torch.tensor(X, requires_grad=True))"),
    trains("a tensor that is not contiguous", "table(torch.tensor(X.T.copy()).t())"),
    trains("a list of tensors", "table([torch.tensor(x) for x in X])"),
    trains("a list of lists", "table(X.tolist(), Y.tolist())"),
    trains("a sparse tensor", "table(torch.tensor(X).to_sparse())"),
    trains(
        "a quantized tensor",
        "table(torch.quantize_per_tensor(torch.tensor(X), 0.1, 0, torch.quint8))",
    ),
    refused(
        "a meta tensor",
        "table(torch.empty(N, 3, device='meta'))",
        "on the meta device, which holds",
    ),
    refused("complex numbers", "table(torch.tensor(X).to(torch.complex64))", "torch.view_as_real"),
    refused("words", "table([['a', 'b', 'c']] * N)", "train: table holds text, not real numbers"),
    refused(
        "dates", "table(np.arange(N).astype('M8[D]')[:, None])", "holds dates, not real numbers"
    ),
    refused(
        "sequences of several lengths",
        "{'train': {'sequence': [X[:2], X[:3]] * 20, 'label': Y}}",
        "sequence has examples of several shapes: (2, 3), (3, 3)…fill them up",
    ),
    refused(
        "an array of arrays of several lengths",
        "{'train': {'sequence': np.array([X[:2], X[:3]] * 20, dtype=object), 'label': Y}}",
        "sequence has examples of several shapes: (2, 3), (3, 3)",
    ),
    refused("Python objects", "table(np.array([[object()]] * N))", "holds Python objects"),
    refused("masked values", "table(np.ma.masked_less(X, 0.1))", "of 120 values are masked"),
    refused("nan", "table(np.where(X < 0.1, np.nan, X))", "table: nan in … of 40 examples: ["),
    refused("no examples", "table(X[:0], Y[:0])", "train has no example"),
    refused("an empty test", "table(test={'table': X[:0], 'label': Y[:0]})", "test has no example"),
    refused("a vector, (N,)", "table(X[:, 0])", "table is (40,), but has to be (N, columns)"),
    refused(
        "pictures from 0 to 255 as floats",
        "{'train': {'image': IMAGES.astype(float), 'label': Y}}",
        "but floats have to lie in [0, 1]…x / 255, or bytes",
    ),
    trains(
        "a mapped file",
        "table(np.load(np.save('x.npy', X) or 'x.npy', mmap_mode='r'))",
    ),
    # ---- labels and targets
    trains("one-hot labels", "table(y=np.eye(2)[Y])", "labels are rows with a single 1"),
    trains("labels (N, 1)", "table(y=Y[:, None])"),
    trains("whole numbers as floats", "table(y=Y.astype(float))", "whole numbers as float64"),
    trains("truth values", "table(y=Y == 1)", "labels are True and False"),
    trains("words as labels", "table(y=np.array(['cat', 'dog'])[Y])", "labels are words"),
    trains(
        "words in the order of `classes`", "table(y=['dog', 'cat'] * 20, classes=['dog', 'cat'])"
    ),
    trains("gaps in the numbers", "table(y=Y * 9)", "the classes are '0', '9'"),
    refused(
        "-1 as a uint32",
        "table(y=np.array([0, 1, 2, 2**32 - 1] * 10, np.uint32))",
        "label 4294967295",
    ),
    refused(
        "-1 as a uint32, beside a single class",
        "table(y=np.array([0, 2**32 - 1] * 20, np.uint32))",
        "label 4294967295 of 20 of 40 examples is no class",
    ),
    refused(
        "words, and None",
        "table(y=['cat', 'dog', None, 'cat'] * 10)",
        "10 of 40 words are missing, like None, at: 2, 6, 10 and 7 more\n…pandas.notna(y)",
    ),
    refused(
        "words, and NA of pandas",
        "table(y=pd.Series(['cat', 'dog', None, 'cat'] * 10, dtype='string'))",
        "10 of 40 words are missing",
    ),
    refused("a set of labels", "table(y=set(Y))", "label is no tensor or array, but a set"),
    trains(
        "classes whose names differ in a blank",
        "table(y=['cat', 'cat '] * 20)",
        "are several, though their names are nearly the same",
    ),
    refused("labels that are nan", "table(y=np.where(Y, np.nan, 0))", "20 of 40 labels are nan"),
    refused(
        "numbers to predict as labels",
        "table(y=X[:, 0])",
        "are no whole numbers, like…return `target` in place of `label`",
    ),
    refused("fewer labels", "table(y=Y[:9])", "label is (9,) int64, but has to be 40 integers"),
    refused("a word for `classes`", "table(classes='ab')", "classes has to be a list of names"),
    refused("a set for `classes`", "table(classes={'a', 'b'})", "A set has no order"),
    refused("too few `classes`", "table(y=np.arange(N) % 3, classes=['a', 'b'])", "'2' has none"),
    trains("one name for one target", "targets(X[:, 0], targets='price')"),
    refused(
        "targets that are nan", "targets(X[:, 0] * np.nan)", "target: nan in 40 of 40 examples"
    ),
    refused("a target that is the same", "targets(np.ones(N))", "there is nothing to predict"),
    trains(
        "words as groups",
        "{'train': {'table': X, 'label': Y, 'group': [f'patient {n % 9}' for n in range(N)]}}",
    ),
    trains(
        "words as groups, in a Series",
        "{'train': {'table': X, 'label': Y, 'group': pd.Series(['a', 'b', 'c', 'd'] * 10)}}",
    ),
    trains(
        "groups (N, 1)",
        "{'train': {'table': X, 'label': Y, 'group': (np.arange(N) // 4)[:, None]}}",
    ),
    refused(
        "groups with gaps",
        "{'train': {'table': X, 'label': Y, 'group': pd.Series(['a', None, 'b', 'c'] * 10)}}",
        "group: 10 of 40 examples have no group: 1, 5, 9",
    ),
    refused(
        "groups as floats",
        "{'train': {'table': X, 'label': Y, 'group': X[:, 0]}}",
        "group is (40,) float32, but has to be 40 integers or words",
    ),
    # ---- what it does
    fails("an error", "raise KeyError('colour')", "mine.py:20: KeyError: 'colour'"),
    fails("an end of the program", "sys.exit(0)", "mine.py:20: it ends the program: SystemExit(0)"),
    fails(
        "a file that is not there", "open('/no/x.npy')", "mine.py:20: FileNotFoundError…/no/x.npy"
    ),
    fails("a module that is not there", "import xyz_data", "No module named 'xyz_data'"),
    fails("a lack of memory", "np.empty(10**15)", "it does not fit into memory"),
    fails("an option that it does not take", "pass", "unexpected keyword argument 'size'", size=3),
    Case(
        "settings that are changed",
        function(
            "os.chdir('/'); torch.set_default_dtype(torch.float64); torch.set_grad_enabled(False)\n"
            "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
            "return table()"
        ),
        "trains",
    ),
    Case(
        "a syntax error",
        lambda folder: (folder / "mine.py").write_text("x = (\n") and {"name": "mine.py:data"},
        "submission",
        "mine.py:1: '(' was never closed",
    ),
    Case(
        "no function, but a dict",
        lambda folder: (folder / "mine.py").write_text("data = {}") and {"name": "mine.py:data"},
        "submission",
        "mine.py:data is an empty dict, but has to be a function\nReturn it by a function: def",
    ),
    Case(
        "no function, but a graph",
        lambda folder: (
            (folder / "mine.py").write_text(
                "from torch_geometric.data import Data\ndata = Data(num_nodes=2)"
            )
            and {"name": "mine.py:data"}
        ),
        "submission",
        "mine.py:data is a Data, but has to be a function\nReturn it by a function: def",
    ),
    Case(
        "an async function",
        lambda folder: (
            (folder / "mine.py").write_text("async def data(): pass") and {"name": "mine.py:data"}
        ),
        "submission",
        "returned a coroutine\nDefine the function without async",
    ),
]


@pytest.fixture(autouse=True)
def _described_here(monkeypatch, tmp_path):
    monkeypatch.setattr(describe, "in_subprocess", reading.describe_here)
    monkeypatch.chdir(tmp_path)


@pytest.mark.filterwarnings("ignore:coroutine")
@pytest.mark.parametrize("case", CASES, ids=lambda it: it.what)
def test_what_a_user_sees(case, tmp_path):
    check(case, tmp_path)


def test_what_a_function_sets_for_the_process_is_set_back(tmp_path):
    import torch

    case = next(it for it in CASES if it.what == "settings that are changed")
    check(case, tmp_path)
    assert torch.get_default_dtype() == torch.float32
    assert torch.is_grad_enabled()
    assert tmp_path.cwd() == tmp_path
    assert signal.getsignal(signal.SIGTERM) != signal.SIG_IGN
