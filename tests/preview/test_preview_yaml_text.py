"""YAML text that PyYAML and Go's yaml read back as the same value."""

from __future__ import annotations

import re

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from preview.values import UNKNOWN, Secret
from preview.yaml_text import to_yaml

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], include_characters="\n\t"), max_size=30)
SCALARS = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False) | TEXT
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=20
)

# The plain scalars that Go's yaml (v2 as sigs.k8s.io/yaml uses it, and v3) takes for something else than a string:
# resolve.go of gopkg.in/yaml.v2 and v3, read 22 Nov 2026.
GO_NOT_STRINGS = [
    *("y", "Y", "n", "N", "yes", "No", "ON", "off", "true", "False", "null", "~", "", "Null"),
    *("1", "-1", "+1", "0", "0x1F", "0o17", "0b11", "017", "1_000", "1e3", "1E+3", "12e4567", "1.", ".5", "-.5e-3"),
    *(".inf", "-.Inf", ".NaN", "2026-11-22", "2026-11-22T10:00:00Z", "<<", "="),
]


@given(st.dictionaries(TEXT, VALUES, max_size=5))
def test_what_is_written_is_read_back(value: dict[str, object]) -> None:
    assert yaml.load(to_yaml(value), Loader=yaml.CSafeLoader) == value


@pytest.mark.parametrize("text", GO_NOT_STRINGS)
def test_strings_that_another_reader_takes_for_something_else_are_quoted(text: str) -> None:
    assert re.fullmatch(r"key: ('.*'|\".*\")\n", to_yaml({"key": text}))


def test_numbers_and_ordinary_strings_stay_plain() -> None:
    assert to_yaml({"a": 1, "b": 0.5, "c": True, "d": "80Gi", "e": "nvidia.com/gpu", "f": "v1.2"}) == (
        "a: 1\nb: 0.5\nc: true\nd: 80Gi\ne: nvidia.com/gpu\nf: v1.2\n"
    )


def test_objects_start_with_what_identifies_them() -> None:
    value = {
        "spec": {"containers": [{"image": "i", "args": ["b", "a"], "name": "server"}], "a": 1},
        "data": {},
        "metadata": {"labels": {"b": "2", "a": "1"}, "namespace": "ml", "name": "x"},
        "kind": "K",
        "apiVersion": "v1",
    }
    assert to_yaml(value) == (
        "apiVersion: v1\nkind: K\nmetadata:\n  name: x\n  namespace: ml\n  labels:\n    a: '1'\n    b: '2'\n"
        "spec:\n  a: 1\n  containers:\n  - name: server\n    args:\n    - b\n    - a\n    image: i\ndata: {}\n"
    )


def test_lines_are_literal_blocks_and_nothing_is_an_alias() -> None:
    shared = {"script": "#!/bin/sh\nset -eu\n"}
    assert to_yaml({"a": shared, "b": shared}) == (
        "a:\n  script: |\n    #!/bin/sh\n    set -eu\nb:\n  script: |\n    #!/bin/sh\n    set -eu\n"
    )


def test_markers_are_quoted_texts() -> None:
    assert to_yaml({"a": UNKNOWN, "b": Secret("canary")}) == "a: '<computed>'\nb: '<secret>'\n"
