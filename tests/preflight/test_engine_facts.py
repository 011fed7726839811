"""`extraArgs` as argparse would read them."""

import argparse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.options import Option, aliases, options
from preflight.engine_facts import parsed

TABLE = options("vllm", "0.33.0")


def read(*words: str) -> list[tuple[str, str | None, tuple[str, ...]]]:
    return [(one.name, one.listed, one.values) for one in parsed(list(words), TABLE, aliases("vllm"), exact=False)]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("-tp", "4"), [("-tp", "--tensor-parallel-size", ("4",))]),
        (("--max-model-len", "-1"), [("--max-model-len", "--max-model-len", ("-1",))]),
        (("--max_model_len=8k",), [("--max_model_len", "--max-model-len", ("8k",))]),
        (("-O3",), [("--optimization-level", "--optimization-level", ("3",))]),
        (("-cc.mode=3",), [("-cc.mode", "--compilation-config", ("3",))]),
        (("--compilation-config.mode", "3"), [("--compilation-config.mode", "--compilation-config", ("3",))]),
        (("--max-model-len.x", "3"), [("--max-model-len.x", None, ("3",))]),
        (("--no-enable-prefix-caching",), [("--no-enable-prefix-caching", "--disable-prefix-caching", ())]),
        (("--swap-space", "4", "--seed", "1"), [("--swap-space", None, ("4",)), ("--seed", "--seed", ("1",))]),
        (
            ("--served-model-name", "a", "b", "--seed=1"),
            [("--served-model-name", "--served-model-name", ("a", "b")), ("--seed", "--seed", ("1",))],
        ),
        (("stray",), [("stray", None, ())]),
        (('--hf-overrides={"a": -1}',), [("--hf-overrides", "--hf-overrides", ('{"a": -1}',))]),
    ],
)
def test_options_and_values(words: tuple[str, ...], found: list[tuple[str, str | None, tuple[str, ...]]]) -> None:
    assert read(*words) == found


@pytest.mark.parametrize(
    "word", ["--max_model_len=8", "-O3", "--compilation-config.mode=3", "--no-enable-prefix-caching"]
)
def test_a_parser_that_is_exact_takes_no_other_spelling(word: str) -> None:
    assert [one.listed for one in parsed([word], TABLE, {}, exact=True)] == [None]


SMALL = {
    "--flag": Option(name="--flag", nargs=0),
    "--one": Option(name="--one"),
    "--many": Option(name="--many", nargs="+"),
}
WORDS = st.lists(
    st.sampled_from(["--flag", "--one", "--many", "--one=x", "--many=y", "value", "-1", "a b"]), max_size=6
)


@given(WORDS)
def test_what_argparse_accepts_is_read_as_argparse_reads_it(words: list[str]) -> None:
    parser = argparse.ArgumentParser(exit_on_error=False, allow_abbrev=False)
    parser.add_argument("--flag", action="append_const", const=True)
    parser.add_argument("--one", action="append")
    parser.add_argument("--many", action="append", nargs="+")
    try:
        found, left = parser.parse_known_args(words)
    except (argparse.ArgumentError, SystemExit):
        return
    if left:
        return
    mine = list(parsed(words, SMALL, {}, exact=False))
    assert [one.values[0] for one in mine if one.listed == "--one"] == (found.one or [])
    assert [list(one.values) for one in mine if one.listed == "--many"] == (found.many or [])
    assert sum(one.listed == "--flag" for one in mine) == len(found.flag or [])
    assert sum(one.words for one in mine) == len(words)
