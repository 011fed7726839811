"""What vLLM checks beyond its parser, and what its metrics are called, by version."""

import pytest

from catalog.options import versions
from catalog.vllm_details import GONE, RENAMED, details, metric
from components.engines.vllm import Vllm
from components.engines.vllm_json import JsonOption
from components.engines.vllm_kv_transfer import KvTransferConfig
from components.engines.vllm_nested import CompilationConfig, EplbConfig, StructuredOutputsConfig
from components.engines.vllm_speculative import (
    DraftModelSpeculation,
    EagleSpeculation,
    MtpSpeculation,
    NgramSpeculation,
    SuffixSpeculation,
)

TYPED: dict[type[JsonOption], str] = {
    KvTransferConfig: "--kv-transfer-config",
    CompilationConfig: "--compilation-config",
    StructuredOutputsConfig: "--structured-outputs-config",
    EplbConfig: "--eplb-config",
    NgramSpeculation: "--speculative-config",
    SuffixSpeculation: "--speculative-config",
    DraftModelSpeculation: "--speculative-config",
    EagleSpeculation: "--speculative-config",
    MtpSpeculation: "--speculative-config",
}


def test_every_version_with_an_option_table_has_them() -> None:
    assert [version for version in versions("vllm") if details(version) is None] == []
    assert details("0.31.7") is None
    assert details("0.31.7", {"0.31.7": {"like": "0.32.0"}}) == details("0.32.0")


@pytest.mark.parametrize("kind", TYPED, ids=[kind.__name__ for kind in TYPED])
def test_every_typed_key_of_a_json_option_is_a_key_of_the_newest_version(kind: type[JsonOption]) -> None:
    newest = details(versions("vllm")[-1])
    assert newest is not None
    assert set(kind.model_fields) - set(newest.keys[TYPED[kind]]) == set()


def test_keys_that_a_version_lacks_are_known() -> None:
    lacking = {
        version: {
            field
            for kind, option in TYPED.items()
            for field in kind.model_fields
            if (known := details(version)) is not None and field not in known.keys[option]
        }
        for version in versions("vllm")
    }
    assert lacking == {
        "0.29.0": {"disable_eagle_block_drop", "draft_lm_head_quantization"},
        "0.32.0": {"draft_lm_head_quantization"},
        "0.33.0": set(),
    }


@pytest.mark.parametrize("version", ["0.29.0", "0.32.0", "0.33.0"])
def test_every_method_that_can_be_written_is_one_of_the_version(version: str) -> None:
    known = details(version)
    assert known is not None
    methods = {"ngram", "ngram_gpu", "suffix", "draft_model", "eagle", "eagle3", "dflash", "dspark", "mtp"}
    assert methods <= set(known.keys["--speculative-config"]["method"] or ())


def test_typed_options_that_are_json_have_keys() -> None:
    """A new JSON option that nothing checks would be noticed here."""
    known = details("0.33.0")
    assert known is not None
    typed = {
        "kv_transfer_config",
        "compilation_config",
        "structured_outputs_config",
        "eplb_config",
        "speculative_config",
    }
    assert {Vllm.option_name(field) for field in typed} == set(known.keys)


@pytest.mark.parametrize("version", ["0.29.0", "0.32.0", "0.33.0"])
def test_a_metric_has_the_name_of_the_version(version: str) -> None:
    known = details(version)
    assert known is not None
    assert metric(known, "vllm:gpu_cache_usage_perc") == "vllm:kv_cache_usage_perc"
    assert metric(known, "vllm:time_per_output_token_seconds_bucket") == "vllm:inter_token_latency_seconds_bucket"
    assert metric(known, "vllm:num_requests_waiting") == "vllm:num_requests_waiting"
    assert metric(known, "vllm:num_preemptions_total") == "vllm:num_preemptions_total"
    assert metric(known, "vllm:num_preemptions") == "vllm:num_preemptions"
    assert metric(known, "vllm:e2e_request_latency_seconds_sum") == "vllm:e2e_request_latency_seconds_sum"


def test_a_metric_that_came_later_is_refused_for_an_earlier_version() -> None:
    earlier, later = details("0.29.0"), details("0.32.0")
    assert earlier is not None
    assert later is not None
    assert metric(later, "vllm:admission_rejections") == "vllm:admission_rejections"
    assert metric(earlier, "vllm:admission_rejections") is None


def test_metrics_without_a_successor_are_in_no_version() -> None:
    for version in versions("vllm"):
        known = details(version)
        assert known is not None
        assert [metric(known, name) for name in GONE] == [None] * len(GONE)


def test_every_new_name_of_a_renamed_metric_is_in_every_version() -> None:
    for version in versions("vllm"):
        known = details(version)
        assert known is not None
        assert set(RENAMED.values()) <= known.metrics
        assert set(RENAMED) & known.metrics == set()
