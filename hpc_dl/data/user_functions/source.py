"""A user's own source: a function that returns tensors, or graphs.

    def my_dataset(**options):
        return {"train": {"image": images, "label": labels}, "test": {...}, "classes": names}

Examples are an `image`, (N, C, H, W) or with 1, 3 or 4 channels last, uint8 or float in [0, 1]; a
`sequence`, (N, T, F); or a `table`, (N, columns). What is to be predicted is a `label`, (N,) whole
numbers or words, or (N, classes) with a single 1 in each row, or a `target`, (N,) or (N, targets)
floats. `validation`, `test`, `classes` (or `targets`, the names of the numbers) may be left out,
and missing splits are taken from `train` by `data.split_seed`. A `group` beside the examples of
`train`, (N,) integers or words, says which of them are to stay in the same split.

Instead it may return a Data of torch_geometric, whose nodes are the examples (`train_mask`,
`val_mask` and `test_mask` divide them; a negative y is no label), a list of Data with a class or
floats each, or lists by split.

Options are what the spec says beside the keys of every source. The function runs on every rank
and at submission, and has to return the same each time: random numbers need a seed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hpc_dl.data.graphs import geometric
from hpc_dl.data.source import Loaded
from hpc_dl.data.splits.counts import Holdout
from hpc_dl.data.user_functions.call import calling, settings_restored
from hpc_dl.data.user_functions.returned import kind_of, way_from
from hpc_dl.data.user_functions.splits import read
from hpc_dl.errors import UserError
from hpc_dl.jobspec.sources.user import UserData
from hpc_dl.jobspec.user_options import RETURN_IT, is_function
from hpc_dl.user_code import load_object


def load(source: UserData, code: Path) -> Loaded:
    """Call the user's function, and check what it returns.

    Raises UserError, naming the function, for what is not as described above, and with the user's
    file and line for an error in it.
    """
    with calling(source.name):
        function = load_object(source.name, code)
    if not is_function(function):
        raise UserError(
            f"{source.name} is {kind_of(function)}, but has to be a function", hint=RETURN_IT
        )
    with calling(source.name), settings_restored():
        returned = geometric.with_lists(function(**source.options))
    if geometric.is_graph(returned):
        return geometric.from_graphs(returned, source.name, Holdout.of(source))
    if not isinstance(returned, Mapping) or "train" not in returned:
        raise UserError(
            f"{source.name} has to return a mapping with 'train', but returned {kind_of(returned)}",
            hint=way_from(returned),
        )
    return read(returned, source.name, Holdout.of(source))
