"""Values on one line of YAML, as `hpcdl init` and the documentation show them."""

import pytest

from hpc_dl.jobspec import yaml_text
from hpc_dl.jobspec.schema import to_yaml


@pytest.mark.parametrize("text", ["1080", "true", "null", "1e5", "a100", "module load cuda", ""])
def test_text_is_read_as_text_also_where_it_looks_like_a_number(text):
    assert yaml_text.parse(f"kind: {to_yaml(text)}", "here").values == {"kind": text}
