"""The option tables: equal to each release's parser, and what is said of an option that a version lacks."""

import datetime
import json
import re
from pathlib import Path
from typing import Any

import pytest

from catalog import rows
from catalog.options import Option, absent, aliases, listed, nearest, negative, options, replacements, versions

FACTS = Path(__file__).parents[2].parent / "shared" / "facts"
VERSIONS = ("0.29.0", "0.32.0", "0.33.0")
OPTION = re.compile(r"--[a-z0-9]+(-[a-z0-9]+)*")


def test_versions_are_sorted_by_number_not_by_text() -> None:
    assert versions("vllm") == VERSIONS
    like = {"like": "0.33.0"}
    assert versions("vllm", {"0.100.0": like, "0.9.2": like, "0.33.0": {}}) == ("0.9.2", *VERSIONS, "0.100.0")
    assert versions("unheard-of") == ()


@pytest.mark.parametrize("version", VERSIONS)
def test_every_option_is_well_formed(version: str) -> None:
    for name, option in options("vllm", version).items():
        assert option.name == name
        assert OPTION.fullmatch(name) or re.fullmatch(r"-[a-z]{1,3}", name), name
        assert option.choices is None or (option.choices and all(option.choices)), name
        assert option.nargs in (None, 0, "+", "*", "?"), name
        if option.choices and option.default not in ("None", "==SUPPRESS=="):
            assert option.default in option.choices, f"{name}: default {option.default} is none of its choices"


@pytest.mark.parametrize("version", VERSIONS)
def test_every_file_has_source_and_date(version: str) -> None:
    data = rows.load(f"vllm_options_{version}.json")
    assert version in data["source"]
    assert datetime.date.fromisoformat(data["date"])


@pytest.mark.parametrize("version", VERSIONS)
def test_a_table_equals_the_dump_of_the_parser_except_for_documented_repairs(version: str) -> None:
    dump = FACTS / f"vllm_cli_options_{version}.json"
    if not dump.exists():
        pytest.skip(f"the collected facts are not beside this checkout ({dump.name})")
    expected, data = dict(json.loads(dump.read_text())), rows.load(f"vllm_options_{version}.json")
    different = {name for name in expected.keys() | data["rows"].keys() if expected.get(name) != data["rows"].get(name)}
    assert different == set(data["repairs"])


def test_only_choices_are_repaired_and_each_repair_has_its_reason() -> None:
    repairs = {version: rows.load(f"vllm_options_{version}.json")["repairs"] for version in VERSIONS}
    device = "--mm-processor-device"
    assert {version: set(found) for version, found in repairs.items()} == {
        "0.29.0": {device},
        "0.32.0": {device},
        "0.33.0": {device, "--kv-cache-dtype"},
    }
    assert all("platform" in found[device] for found in repairs.values())
    assert "vllm/config/cache.py" in repairs["0.33.0"]["--kv-cache-dtype"]


def test_the_repaired_choices_keep_what_the_release_before_had() -> None:
    before = options("vllm", "0.32.0")["--kv-cache-dtype"].choices
    after = options("vllm", "0.33.0")["--kv-cache-dtype"].choices
    assert before is not None
    assert after is not None
    assert set(before) - set(after) == set()
    assert set(after) - set(before) == {"octave_k3v4", "octave_k3v3", "octave_k3v3_compact"}


def test_an_unknown_version_or_engine_says_which_there_are() -> None:
    with pytest.raises(ValueError, match=r"vllm 0\.31\.0 \(there are: 0\.29\.0, 0\.32\.0, 0\.33\.0\)"):
        options("vllm", "0.31.0")
    with pytest.raises(ValueError, match=r"unheard-of 1\.0 \(there are: none\)"):
        options("unheard-of", "1.0")


def test_absent_tells_the_versions_that_have_an_option_from_those_that_lack_it() -> None:
    assert absent("vllm", "--tensor-parallel-size") == (VERSIONS, ())
    assert absent("vllm", "--swap-space") == ((), VERSIONS)
    assert absent("vllm", "--disable-log-requests") == (("0.33.0",), ("0.29.0", "0.32.0"))
    assert absent("vllm", "--monokernel") == (("0.33.0",), ("0.29.0", "0.32.0"))
    assert absent("vllm", "--enable-bf16x3-router-gemm") == (("0.29.0",), ("0.32.0", "0.33.0"))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("--max-model-length", "--max-model-len"),
        ("--tensor_parallel_size", "--tensor-parallel-size"),
        ("--gpu-memory-utilisation", "--gpu-memory-utilization"),
        ("--zzz", None),
    ],
)
def test_nearest_finds_what_was_meant(name: str, expected: str | None) -> None:
    assert nearest("vllm", "0.33.0", name) == expected


@pytest.mark.parametrize(
    ("engine", "version", "name", "expected"),
    [
        ("sglang", "0.5.23", "--tp", "--tp-size"),
        ("sglang", "0.5.23", "--dp", "--dp-size"),
        ("sglang", "0.5.23", "--nope", None),
        ("tensorrt-llm", "1.2.1", "--max-num-tokens", "--max_num_tokens"),
        ("tgi", "3.3.7", "--max-input-token", "--max-input-tokens"),
    ],
)
def test_nearest_goes_by_the_words_and_not_by_their_dashes(
    engine: str, version: str, name: str, expected: str | None
) -> None:
    assert nearest(engine, version, name) == expected


@pytest.mark.parametrize(
    ("version", "name", "expected"),
    [
        ("0.29.0", "--enable-prefix-caching", "--no-enable-prefix-caching"),
        ("0.32.0", "--enable-prefix-caching", "--no-enable-prefix-caching"),
        ("0.33.0", "--enable-prefix-caching", "--disable-prefix-caching"),
        ("0.33.0", "--disable-custom-all-reduce", "--enable-custom-all-reduce"),
        ("0.32.0", "--disable-custom-all-reduce", "--no-disable-custom-all-reduce"),
        ("0.33.0", "--enforce-eager", "--no-enforce-eager"),
        ("0.33.0", "--no-enforce-eager", "--enforce-eager"),
        ("0.33.0", "--max-model-len", None),
        ("0.33.0", "--disable-log-stats", None),
    ],
)
def test_negative_is_the_form_that_the_version_lists(version: str, name: str, expected: str | None) -> None:
    assert negative("vllm", version, name) == expected


def test_every_boolean_with_a_no_form_in_0_32_has_a_negative_in_0_33() -> None:
    before, after = options("vllm", "0.32.0"), options("vllm", "0.33.0")
    flags = [name for name in before if f"--no-{name.removeprefix('--')}" in before and name in after]
    assert len(flags) > 80
    assert [name for name in flags if negative("vllm", "0.33.0", name) is None] == []


@pytest.mark.parametrize(
    ("version", "name", "expected"),
    [
        ("0.33.0", "--max-model-len", "--max-model-len"),
        ("0.33.0", "--max_model_len", "--max-model-len"),
        ("0.33.0", "-tp", "-tp"),
        ("0.33.0", "--no-enable-prefix-caching", "--disable-prefix-caching"),
        ("0.33.0", "--no-disable-custom-all-reduce", "--enable-custom-all-reduce"),
        ("0.33.0", "--compilation-config.mode", "--compilation-config"),
        ("0.32.0", "--disable-prefix-caching", None),
        ("0.33.0", "--swap-space", None),
        ("0.33.0", "--no-max-model-len", None),
        ("0.33.0", "--tensor-parallel", None),
    ],
)
def test_listed_gives_the_listed_spelling_of_what_runs(version: str, name: str, expected: str | None) -> None:
    assert listed("vllm", version, name) == expected


def test_replacements_are_of_options_that_at_least_one_version_lacks() -> None:
    lacking = {name: absent("vllm", name) for name in replacements("vllm")}
    assert [name for name, (_, without) in lacking.items() if not without] == []
    assert {name: present for name, (present, _) in lacking.items() if present} == {
        "--disable-log-requests": ("0.33.0",),  # came back as the negative of --enable-log-requests
        "--enable-bf16x3-router-gemm": ("0.29.0",),
    }


def test_a_replacement_names_only_options_that_every_version_has() -> None:
    named = {found.group() for text in replacements("vllm").values() for found in OPTION.finditer(text)}
    assert len(named) > 10
    assert {name for name in named if absent("vllm", name)[1]} == set()


def test_every_option_that_the_collected_facts_call_removed_has_a_replacement_text() -> None:
    source = FACTS / "vllm_args.json"
    if not source.exists():
        pytest.skip(f"the collected facts are not beside this checkout ({source.name})")
    data = json.loads(source.read_text())
    removed = {
        *data["flags_in_0_6_0_missing_in_0_33_0"],
        *(n for step in data["flags_removed_by_step"].values() for n in step),
    }
    assert removed - set(replacements("vllm")) == set()


@pytest.mark.parametrize("version", VERSIONS)
def test_aliases_are_options_with_the_same_meaning(version: str) -> None:
    table = options("vllm", version)
    short = {name for name in table if not name.startswith("--")}
    assert short - set(aliases("vllm")) == set()
    for alias, name in aliases("vllm").items():
        if alias in table:
            same = (table[alias].nargs, table[alias].choices, table[alias].type, table[alias].default)
            assert same == (table[name].nargs, table[name].choices, table[name].type, table[name].default), alias


def test_an_engine_without_a_list_of_names_has_no_replacements_and_no_aliases() -> None:
    assert (replacements("tgi"), aliases("tgi")) == ({}, {})


def test_an_override_starts_from_another_version() -> None:
    overrides = {
        "0.31.0": {
            "like": "0.32.0",
            "add": {"--x": {"nargs": 0, "type": "None"}, "--y": {"choices": ["a", "b"], "default": "a"}},
            "remove": ["--dtype"],
        }
    }
    expected = {name: option for name, option in options("vllm", "0.32.0").items() if name != "--dtype"}
    expected["--x"] = Option(name="--x", nargs=0, type="None")
    expected["--y"] = Option(name="--y", choices=("a", "b"), default="a")
    assert options("vllm", "0.31.0", overrides) == expected
    assert options("vllm", "0.33.0", overrides) == options("vllm", "0.33.0")
    assert absent("vllm", "--dtype", overrides) == (VERSIONS, ("0.31.0",))
    assert nearest("vllm", "0.31.0", "--dtypes", overrides) != "--dtype"


def test_an_override_of_a_shipped_version_patches_it_without_like() -> None:
    table = options("vllm", "0.33.0", {"0.33.0": {"add": {"--x": {}}}})
    assert set(table) - set(options("vllm", "0.33.0")) == {"--x"}
    assert "--x" not in options("vllm", "0.33.0")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (None, ["vllm 0.31.0", "give a mapping"]),
        ({"like": "0.30.0"}, ["vllm 0.30.0", "there are: 0.29.0"]),
        ({}, ["vllm 0.31.0", "there are: 0.29.0"]),
        ({"like": "0.32.0", "drop": []}, ["vllm 0.31.0", "drop is not a field", "remove"]),
        ({"like": "0.32.0", "remove": ["--nope"]}, ["vllm 0.31.0", "--nope", "0.32.0 does not have"]),
        ({"like": "0.32.0", "remove": "--dtype"}, ["vllm 0.31.0", "remove a list"]),
        ({"like": "0.32.0", "remove": [{}]}, ["vllm 0.31.0", "remove has {}"]),
        ({"like": "0.32.0", "add": {1: {}}}, ["vllm 0.31.0", "1 is no option name"]),
        ({"like": 0.32}, ["vllm 0.31.0", "in quotes"]),
        ({"like": "0.32.0", "add": {"x": {}}}, ["vllm 0.31.0", "'x' is no option name"]),
        ({"like": "0.32.0", "add": {"--x": None}}, ["vllm 0.31.0", "--x", "mapping"]),
        ({"like": "0.32.0", "add": {"--x": {"kind": "int"}}}, ["vllm 0.31.0", "--x", "kind"]),
        ({"like": "0.32.0", "add": {"--x": {"choices": "a"}}}, ["vllm 0.31.0", "--x", "choices"]),
    ],
)
def test_a_wrong_override_names_version_and_field(row: Any, words: list[str]) -> None:
    with pytest.raises(ValueError, match=r"option") as caught:
        options("vllm", "0.31.0", {"0.31.0": row})
    assert [word for word in words if word not in str(caught.value)] == []
