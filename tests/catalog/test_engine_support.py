"""What vLLM versions support, against the option tables and the GPUs."""

import datetime
from typing import cast

from catalog import rows
from catalog.engine_support import support, table
from catalog.options import options, versions


def test_every_version_with_an_option_table_has_support_facts() -> None:
    assert [version for version in versions("vllm") if support(version) is None] == []
    assert datetime.date.fromisoformat(rows.load("vllm_support.json")["date"])


def test_a_version_that_is_like_another_has_its_facts() -> None:
    assert support("0.31.7") is None
    assert support("0.31.7", {"0.31.7": {"like": "0.32.0"}}) == support("0.32.0")


def test_kv_cache_types_of_backends_are_choices_of_a_version() -> None:
    known = {
        choice for version in versions("vllm") for choice in options("vllm", version)["--kv-cache-dtype"].choices or ()
    }
    for version in versions("vllm"):
        facts = support(version)
        assert facts is not None
        for backend in facts.attention_backends.values():
            assert (backend.kv_cache_dtypes or frozenset()) <= known, backend.name


def test_backends_come_and_go_with_versions() -> None:
    old, new = support("0.29.0"), support("0.33.0")
    assert old is not None
    assert new is not None
    assert "B12X" not in old.attention_backends
    assert new.attention_backends["B12X"].runs_on((12, 0))
    assert not new.attention_backends["FLASH_ATTN"].runs_on((7, 5))
    assert "VLLM_ATTENTION_BACKEND" not in new.environment


def test_flags_that_checkpoints_take_are_methods_of_the_version() -> None:
    facts = support("0.33.0")
    assert facts is not None
    for method, flags in cast("dict[str, list[str]]", table()["checkpoint_flags"]).items():
        assert set(flags) - {"marlin"} <= set(facts.quantization), method
