"""YAML to plain data as the Pulumi CLI reads it, and the place of everything in it."""

import datetime
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacks.positions import Document
from stacks.scalars import resolve


def data(text: str) -> object:
    document = Document(text.encode())
    assert document.mistakes == []
    return document.data


def mistakes(text: str | bytes) -> list[tuple[str, int, int]]:
    document = Document(text if isinstance(text, bytes) else text.encode())
    return [(one.message, *one.place) for one in document.mistakes]


# What gopkg.in/yaml.v3 v3.0.1 makes of a plain scalar (resolve.go), as Go's JSON hands it on.
SCALARS: list[tuple[str, object]] = [
    ("yes", "yes"),
    ("on", "on"),
    ("n", "n"),
    ("true", True),
    ("TRUE", True),
    ("tRUE", "tRUE"),
    ("False", False),
    ("~", None),
    ("null", None),
    ("nULL", "nULL"),
    ("1_000", 1000),
    ("_1", "_1"),
    ("0x10", 16),
    ("-0x10", -16),
    ("0b11", 3),
    ("0o17", 15),
    ("017", 15),
    ("08", 8),
    ("+5", 5),
    ("-0", 0),
    ("1e3", 1000),
    ("8192.0", 8192),
    ("5.", 5),
    (".5", 0.5),
    ("1.5e-7", 1.5e-7),
    ("1e21", 1e21),
    ("1e999", "1e999"),
    ("18446744073709551615", 2**64 - 1),
    ("18446744073709551616", 2**64),
    ("-9223372036854775808", -(2**63)),
    ("0x10000000000000000", "0x10000000000000000"),
    ("12:30", "12:30"),
    ("0.33.0", "0.33.0"),
    ("-", "-"),
    (".", "."),
    ("<<", "<<"),
    ("2001-01-01", datetime.date(2001, 1, 1)),
    ("2001-1-1", datetime.date(2001, 1, 1)),
    ("2001-01-01 12:00:00", datetime.date(2001, 1, 1)),
    ("2001-01-01T12:00:00Z", datetime.date(2001, 1, 1)),
    ("2001-13-01", "2001-13-01"),
    ("1" * 5000, "1" * 5000),
]


@pytest.mark.parametrize(("text", "value"), SCALARS, ids=[text[:24] for text, _ in SCALARS])
def test_plain_scalars_mean_what_they_mean_to_the_pulumi_cli(text: str, value: object) -> None:
    assert (type(resolve(text)), resolve(text)) == (type(value), value)


@pytest.mark.parametrize("text", [".inf", "+.Inf", "-.INF", ".nan"])
def test_numbers_that_json_cannot_hold_are_mistakes(text: str) -> None:
    assert not math.isfinite(float(str(resolve(text))))
    assert mistakes(f"a: {text}\n") == [(f"{text} is no number that Pulumi can hold", 1, 4)]


@given(st.integers(min_value=-(2**63), max_value=2**64 - 1))
def test_every_64_bit_integer_is_itself(number: int) -> None:
    assert resolve(str(number)) == number


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_float_keeps_its_value(number: float) -> None:
    assert resolve(repr(number)) == number


@given(st.text(min_size=1))
def test_resolving_any_text_gives_a_value(text: str) -> None:
    value = resolve(text)
    assert value is None or isinstance(value, str | int | float | datetime.date)
    assert not isinstance(value, str) or value == text


def test_quoted_and_block_scalars_are_text() -> None:
    assert data("a: \"1\"\nb: 'yes'\nc: |\n  2\nd: !!str 3\ne: >-\n  x\n  y\n") == {
        "a": "1",
        "b": "yes",
        "c": "2\n",
        "d": "3",
        "e": "x y",
    }


def test_keys_and_values_have_places() -> None:
    document = Document(b"a:\n  b: [x, {c: 1}]\n  'd e': {f: 2}\n")
    assert document.key_place(("a",)) == (1, 1)
    assert document.place(("a",)) == (2, 3)
    assert document.place(("a", "b", 0)) == (2, 7)
    assert document.key_place(("a", "b", 1, "c")) == (2, 11)
    assert document.place(("a", "b", 1, "c")) == (2, 14)
    assert document.key_place(("a", "d e")) == (3, 3)
    assert document.place(("a", "b", 7)) is None
    assert document.place(("a", "z", "y")) is None


def test_the_best_place_is_the_scalar_or_else_the_closest_key() -> None:
    document = Document(b"a:\n  b: 5\n  c: {d: 1}\n")
    assert document.best_place(("a", "b")) == (2, 6)
    assert document.best_place(("a", "b"), key=True) == (2, 3)
    assert document.best_place(("a", "c")) == (3, 3)
    assert document.best_place(("a", "c", "z", 0)) == (3, 3)
    assert document.best_place(("z",)) == (1, 1)


def test_columns_count_characters_and_a_byte_order_mark_is_no_character() -> None:
    document = Document("\ufeffä😀: {b: 1}\n".encode())
    assert document.data == {"ä😀": {"b": 1}}
    assert document.place(("ä😀", "b")) == (1, 9)
    assert Document("\ufeffa: 1\n".encode()).key_place(("a",)) == (1, 1)


def test_windows_line_ends_change_nothing() -> None:
    document = Document(b"a:\r\n  b: 1\r\n  c: 2\r\n")
    assert document.data == {"a": {"b": 1, "c": 2}}
    assert document.key_place(("a", "c")) == (3, 3)


def test_a_duplicate_key_is_named_at_the_second_with_the_place_of_the_first() -> None:
    document = Document(b"a:\n  b: 1\n  c: 2\n  b: 3\n")
    assert document.data == {"a": {"b": 1, "c": 2}}
    (one,) = document.mistakes
    assert (one.message, one.place, one.path, one.code) == (
        "this key is there already at 2:3",
        (4, 3),
        ("a", "b"),
        "CFG003",
    )


def test_every_duplicate_is_named() -> None:
    assert [line for _, line, _ in mistakes("a: 1\nb: {c: 1, c: 2}\na: 2\na: 3\n")] == [2, 3, 4]


def test_a_quoted_key_duplicates_a_plain_one() -> None:
    assert mistakes("a: 1\n'a': 2\n") == [("this key is there already at 1:1", 2, 1)]


def test_merges_are_laid_under_the_keys_and_an_earlier_source_wins() -> None:
    text = "base: &base {x: 1, y: 2}\nc: {y: 3, <<: *base}\nd: {<<: [*base, {z: 4, x: 9}]}\n"
    assert data(text) == {
        "base": {"x": 1, "y": 2},
        "c": {"x": 1, "y": 3},
        "d": {"x": 1, "y": 2, "z": 4},
    }
    document = Document(text.encode())
    assert document.place(("c", "x")) == (1, 17)
    assert document.place(("c", "y")) == (2, 8)
    assert document.place(("d", "z")) == (3, 21)


def test_a_quoted_merge_key_is_a_key() -> None:
    assert data("a: {'<<': {x: 1}}") == {"a": {"<<": {"x": 1}}}


def test_two_merges_in_one_mapping_are_duplicates_as_they_are_to_the_cli() -> None:
    assert [line for _, line, _ in mistakes("a: &a {x: 1}\nb:\n  <<: *a\n  <<: *a\n")] == [4]


@pytest.mark.parametrize("value", ["5", "[1]", "[{x: 1}, 2]", ""])
def test_a_merge_of_anything_but_mappings_is_a_mistake(value: str) -> None:
    assert [message for message, _, _ in mistakes(f"a:\n  <<: {value}\n")] == [
        "<< takes a mapping, or a list of mappings"
    ]


def test_an_alias_has_the_place_of_its_anchor() -> None:
    document = Document(b"a: &x {b: 1}\nc: *x\n")
    assert document.data == {"a": {"b": 1}, "c": {"b": 1}}
    assert document.place(("c", "b")) == (1, 11)


@pytest.mark.parametrize("text", ["&a [*a]", "x: &a {b: *a}", "x: &a\n  <<: *a\n", "x: &a [1, {y: *a}]"])
def test_an_anchor_that_contains_itself_is_refused(text: str) -> None:
    assert [message for message, _, _ in mistakes(text)] == ["an anchor (&) that contains an alias (*) of itself"]


def test_a_billion_laughs_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]" for level in range(1, 40)]
    assert [message for message, _, _ in mistakes("\n".join(lines))] == ["aliases repeat too many values"]


def test_a_thousand_honest_aliases_are_fine() -> None:
    lines = ["base: &base {a: 1, b: 2, c: [1, 2, 3]}", *(f"x{one}: {{<<: *base, d: *base}}" for one in range(1000))]
    document = Document("\n".join(lines).encode())
    assert document.mistakes == []
    assert isinstance(document.data, dict)
    assert document.data["x999"] == {"a": 1, "b": 2, "c": [1, 2, 3], "d": {"a": 1, "b": 2, "c": [1, 2, 3]}}


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_deep_nesting_is_refused_before_the_stack_overflows(opening: str) -> None:
    ((message, line, _),) = mistakes(opening * 100_000)
    assert (message, line) == ("nested deeper than 100 levels", 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\n\tb: 2", ("a tab; YAML is indented with spaces (begun at line 1)", 2, 1)),
        ("\ta: 1", ("a tab; YAML is indented with spaces", 1, 1)),
        ("a: b: c", ('a colon where none can be; check the indentation, or put text with ": " in quotes', 1, 5)),
        ("a: @b", ("@ can't start a value; put the value in quotes", 1, 4)),
        ("a: 1\n---\nb: 2\n", ("a second document (---); a stack file has one", 2, 1)),
        ('a: "x', ("a quote is left open", 1, 6)),
        ("a: [1\n", ("a [ without its ], or a comma is missing (begun at line 1)", 2, 1)),
        ("a: *b", ("an alias (*) of an anchor (&) that isn't above it", 1, 4)),
        ("a: &x 1\nb: &x 2", ("an anchor (&) whose name is taken already", 2, 4)),
        ("a: \x00", ("the character U+0000 can't be in YAML", 1, 4)),
        ("a:\n  b: \x07", ("the character U+0007 can't be in YAML", 2, 6)),
        ("a: {{ name }}", ("a mapping or list can't be a key; put a {{ placeholder }} in quotes", 1, 5)),
        ("1: a", ("the key 1 isn't text; put it in quotes", 1, 1)),
        ("{? : a}", ("an empty key isn't text; put it in quotes", 1, 4)),
        ("a: !secret b", ('tag "!secret": a stack file has no tags', 1, 4)),
        ("a: !!int '5'", ('tag "tag:yaml.org,2002:int": a stack file has no tags', 1, 4)),
    ],
)
def test_bad_yaml_is_said_in_words(text: str, expected: tuple[str, int, int]) -> None:
    assert mistakes(text) == [expected]


def test_bytes_that_are_not_utf8_have_a_place() -> None:
    assert mistakes("a: 1\nä: ".encode() + b"\xff") == [("byte 0xff isn't UTF-8", 2, 4)]
    assert mistakes("a: 1".encode("utf-16")) == [("byte 0xff isn't UTF-8", 1, 1)]


@pytest.mark.parametrize("text", ["", "\n\n", "# only a comment\n", "---\n", "\ufeff"])
def test_a_file_without_values_has_no_data_and_no_mistakes(text: str) -> None:
    document = Document(text.encode())
    assert (document.data, document.mistakes) == (None, [])


@given(st.binary(max_size=200))
def test_any_bytes_are_data_or_mistakes_with_places(content: bytes) -> None:
    document = Document(content)
    for one in document.mistakes:
        assert one.place.line >= 1
        assert one.place.column >= 1


@given(st.text(alphabet="ab:-{}[],&*!|>'\"#%@ \n\t?<", max_size=40))
def test_any_yaml_like_text_is_data_or_mistakes_with_places(text: str) -> None:
    document = Document(text.encode())
    assert all(one.place.line <= text.count("\n") + 2 for one in document.mistakes)
