"""A TGI workload for vLLM: what is the same, what has another name, and that nothing is lost."""

from typing import Any

import pytest
import yaml

from catalog.options import options, versions
from components.engines.tgi import Tgi
from components.engines.vllm import Vllm
from components.resolved import Workload
from preflight.check import check
from stacks.migrate_tgi import Migration, migrate, migrated
from stacks.resolve import resolve
from tests.components.engines.test_tgi import ALWAYS, ARGUMENTS, VARIABLES
from tests.preflight.case import inputs, merged, stack
from tests.preflight.cases_tgi import AWQ, tgi

VALUES = {key: value for table in (ARGUMENTS, ALWAYS, VARIABLES) for key, (value, _) in table.items()}


def workload(patch: dict[str, Any]) -> Workload:
    return stack(patch).workloads["chat"]


def moved(_models: dict[str, Any] | None = None, /, **options: Any) -> Migration:
    given = workload({**tgi(**options), **({"models": _models} if _models else {})})
    assert isinstance(given.engine, Tgi)
    return migrate(given, given.engine)


@pytest.mark.parametrize(
    ("options", "section"),
    [
        ({"numShard": 2, "maxTotalTokens": 8192}, {"tensorParallelSize": 2, "maxModelLen": 8192}),
        ({}, {"maxModelLen": "auto"}),
        ({"kvCacheDtype": "fp8_e4m3fn"}, {"kvCacheDtype": "fp8_e4m3"}),
        ({"quantize": "fp8"}, {"quantization": "fp8"}),
        ({"quantize": "eetq"}, {"quantization": "int8_per_channel_weight_only"}),
        ({"speculate": 3}, {"speculativeConfig": {"method": "ngram", "numSpeculativeTokens": 3}}),
        ({"cudaGraphs": [0]}, {"enforceEager": True}),
        ({"cudaGraphs": [4, 1, 0]}, {"compilationConfig": {"cudagraphCaptureSizes": [1, 4]}}),
        ({"attention": "flashdecoding"}, {"attentionBackend": "FLASH_ATTN"}),
        ({"prefixCaching": False}, {"enablePrefixCaching": False}),
        (  # vLLM wants room for the longest request in one step (ENG008)
            {"prefillChunking": False, "maxBatchPrefillTokens": 5000, "maxTotalTokens": 8192},
            {"enableChunkedPrefill": False, "maxNumBatchedTokens": 8192, "maxModelLen": 8192},
        ),
        ({"corsAllowOrigin": ["https://a"]}, {"extraArgs": ['--allowed-origins=["https://a"]']}),
    ],
)
def test_an_option_becomes_its_equivalent(options: dict[str, Any], section: dict[str, Any]) -> None:
    given = {"maxModelLen": "auto"} if "maxTotalTokens" not in options else {}
    assert moved(**options).engine == {"name": "vllm", "version": versions("vllm")[-1], **given, **section}


@pytest.mark.parametrize(
    ("options", "models", "words"),
    [
        ({"quantize": "awq"}, AWQ, "vLLM reads the method from the checkpoint"),
        ({"quantize": "awq"}, None, "needs a checkpoint quantized so"),
        ({"quantize": "bitsandbytes-nf4"}, None, "AWQ or GPTQ"),
        ({"attention": "paged"}, None, "vLLM picks the implementation"),
        ({"ropeFactor": 2.0}, None, "as the model card has them in hfOverrides"),
        ({"maxInputTokens": 4096}, None, "no limit for the prompt alone"),
        ({"maxConcurrentRequests": 128}, None, "at a gateway"),
        ({"extraArgs": ["--watermark-gamma=0.5"]}, None, "--watermark-gamma=0.5 in extraArgs"),
    ],
)
def test_what_has_no_equivalent_is_said(options: dict[str, Any], models: dict[str, Any] | None, words: str) -> None:
    found = moved(models, **options)
    assert any(words in note for note in found.notes)
    assert set(found.engine) == {"name", "version", "maxModelLen"}


@pytest.mark.parametrize("key", VALUES)
def test_every_option_is_in_the_section_or_in_a_note(key: str) -> None:
    adapters = {name: {"id": f"org/{name}", "revision": "c" * 40, "volume": "weights"} for name in ("sql", "chat")}
    before, after = moved(adapters), moved(adapters, **{key: VALUES[key]})
    noted = [note for note in after.notes if note not in before.notes]
    assert (after.engine, after.env) != (before.engine, before.env) or any(key in note for note in noted)


@pytest.mark.parametrize("key", VALUES)
def test_the_section_is_a_valid_engine_whose_arguments_the_version_has(key: str) -> None:
    adapters = {name: {"id": f"org/{name}", "revision": "c" * 40, "volume": "weights"} for name in ("sql", "chat")}
    found = moved(adapters, **{key: VALUES[key]})
    engine = Vllm.model_validate(found.engine, by_alias=True, by_name=False)
    patch = {"models": adapters, "workloads": {"chat": {"engine": {"maxModelLen": None, **found.engine}}}}
    launch = workload(patch).launch
    table = options("vllm", engine.version)
    assert [one.option for one in engine.arguments(launch) if one.option and one.option not in table] == []


def test_the_migrated_workload_obeys_the_rules() -> None:
    section = yaml.safe_load(migrated(stack(tgi(numShard=2, maxInputTokens=4096, maxTotalTokens=8192)), "chat"))
    given = inputs(merged({}, {"workloads": {"chat": {"engine": {"maxModelLen": None, **section["engine"]}}}}))
    assert [one.code for one in check(given, resolve(given)) if one.severity != "notice"] == []


def test_the_notes_are_comments() -> None:
    text = migrated(stack(tgi(maxInputTokens=4096)), "chat")
    body, _, notes = text.partition("# Notes:\n")
    assert set(yaml.safe_load(body)) == {"engine"}
    assert all(line.startswith("# - ") for line in notes.splitlines())
    assert "clients name the model llama instead of tgi" in notes


@pytest.mark.parametrize(
    ("name", "words"), [("chat", "runs on vllm"), ("nobody", "no workload nobody .* there are: chat")]
)
def test_only_tgi_workloads_are_migrated(name: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        migrated(stack({}), name)
