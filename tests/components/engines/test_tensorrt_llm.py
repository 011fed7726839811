"""From the stack file to the exact words of `trtllm-serve serve`, and to its file: one row for each typed option."""

import re
from typing import Any

import pytest
import yaml
from pydantic.alias_generators import to_camel

from catalog.llm_args import TOP, fields
from catalog.options import options, versions
from components.engines.base import Engine, Launch
from components.engines.tensorrt_llm import OPTIONS_FILE, TensorRtLlm
from components.engines.tensorrt_llm_configs import CudaGraphConfig, KvCacheConfig, MoeConfig, SpeculativeConfig
from components.spec import Spec

LAUNCH = Launch(
    model="/models/llama/0123456789ab",
    revision=None,
    served_name="llama",
    shutdown_timeout_seconds=45,
    startup_seconds=900,
    cache_dir="/cache",
    locations={"draft": "/models/draft/0123456789ab"},
)
FIXED = [
    "/models/llama/0123456789ab",
    "--host=0.0.0.0",
    "--port=8000",
    "--config=/etc/llm-serving/llm-api-options.yaml",
]
ROWS: dict[str, list[str]] = {
    "tensorParallelSize: 4": ["--tensor_parallel_size=4"],
    "pipelineParallelSize: 2": ["--pipeline_parallel_size=2"],
    "moeExpertParallelSize: 4": ["--moe_expert_parallel_size=4"],
    "maxBatchSize: 64": ["--max_batch_size=64"],
    "maxNumTokens: 16384": ["--max_num_tokens=16384"],
    "maxSeqLen: 8192": ["--max_seq_len=8192"],
    "maxBeamWidth: 4": ["--max_beam_width=4"],
    "kvCacheFreeGpuMemoryFraction: 0.8": ["--kv_cache_free_gpu_memory_fraction=0.8"],
    "numPostprocessWorkers: 2": ["--num_postprocess_workers=2"],
    "trustRemoteCode: true": ["--trust_remote_code"],
    "trustRemoteCode: false": [],
    "enableChunkedPrefill: true": ["--enable_chunked_prefill"],
    "reasoningParser: deepseek-r1": ["--reasoning_parser=deepseek-r1"],
    "toolParser: qwen3": ["--tool_parser=qwen3"],
    "chatTemplate: /models/template.jinja": ["--chat_template=/models/template.jinja"],
    "tokenizer: /models/tokenizer": ["--tokenizer=/models/tokenizer"],
    "customTokenizer: deepseek_v32": ["--custom_tokenizer=deepseek_v32"],
    "logLevel: warning": ["--log_level=warning"],
    "failFastOnAttentionWindowTooLarge: true": ["--fail_fast_on_attention_window_too_large"],
    "otlpTracesEndpoint: http://collector:4317": ["--otlp_traces_endpoint=http://collector:4317"],
}
FILE_ROWS: dict[str, dict[str, Any]] = {
    "kvCacheConfig: {dtype: fp8}": {"kv_cache_config": {"dtype": "fp8"}},
    "kvCacheConfig: {enableBlockReuse: false}": {"kv_cache_config": {"enable_block_reuse": False}},
    "kvCacheConfig: {enablePartialReuse: false}": {"kv_cache_config": {"enable_partial_reuse": False}},
    "kvCacheConfig: {copyOnPartialReuse: false}": {"kv_cache_config": {"copy_on_partial_reuse": False}},
    "kvCacheConfig: {maxTokens: 65536}": {"kv_cache_config": {"max_tokens": 65536}},
    "kvCacheConfig: {maxGpuTotalBytes: 1073741824}": {"kv_cache_config": {"max_gpu_total_bytes": 1073741824}},
    "kvCacheConfig: {maxAttentionWindow: [4096, 131072]}": {
        "kv_cache_config": {"max_attention_window": [4096, 131072]}
    },
    "kvCacheConfig: {sinkTokenLength: 4}": {"kv_cache_config": {"sink_token_length": 4}},
    "kvCacheConfig: {onboardBlocks: false}": {"kv_cache_config": {"onboard_blocks": False}},
    "kvCacheConfig: {tokensPerBlock: 64}": {"kv_cache_config": {"tokens_per_block": 64}},
    "kvCacheConfig: {hostCacheSize: 1073741824}": {"kv_cache_config": {"host_cache_size": 1073741824}},
    "kvCacheConfig: {secondaryOffloadMinPriority: 30}": {"kv_cache_config": {"secondary_offload_min_priority": 30}},
    "kvCacheConfig: {eventBufferMaxSize: 1024}": {"kv_cache_config": {"event_buffer_max_size": 1024}},
    "kvCacheConfig: {mambaSsmCacheDtype: float32}": {"kv_cache_config": {"mamba_ssm_cache_dtype": "float32"}},
    "cudaGraphConfig: {batchSizes: [1, 8]}": {"cuda_graph_config": {"batch_sizes": [1, 8]}},
    "cudaGraphConfig: {maxBatchSize: 64}": {"cuda_graph_config": {"max_batch_size": 64}},
    "cudaGraphConfig: {enablePadding: true}": {"cuda_graph_config": {"enable_padding": True}},
    "cudaGraphConfig: false": {"cuda_graph_config": None},
    "moeConfig: {backend: TRTLLM}": {"moe_config": {"backend": "TRTLLM"}},
    "moeConfig: {loadBalancer: {num_slots: 288}}": {"moe_config": {"load_balancer": {"num_slots": 288}}},
    "moeConfig: {maxNumTokens: 8192}": {"moe_config": {"max_num_tokens": 8192}},
    "moeConfig: {disableFinalizeFusion: true}": {"moe_config": {"disable_finalize_fusion": True}},
    "moeConfig: {useLowPrecisionMoeCombine: true}": {"moe_config": {"use_low_precision_moe_combine": True}},
    "speculativeConfig: {decodingType: MTP}": {"speculative_config": {"decoding_type": "MTP"}},
    "speculativeConfig: {decodingType: MTP, numNextnPredictLayers: 3}": {
        "speculative_config": {"decoding_type": "MTP", "num_nextn_predict_layers": 3}
    },
    "speculativeConfig: {decodingType: MTP, useRelaxedAcceptanceForThinking: true, relaxedTopk: 10, relaxedDelta: 0.6}": {
        "speculative_config": {
            "decoding_type": "MTP",
            "use_relaxed_acceptance_for_thinking": True,
            "relaxed_topk": 10,
            "relaxed_delta": 0.6,
        }
    },
    "speculativeConfig: {decodingType: Eagle, maxDraftLen: 3, speculativeModel: draft, eagle3OneModel: false}": {
        "speculative_config": {
            "decoding_type": "Eagle",
            "max_draft_len": 3,
            "speculative_model": "/models/draft/0123456789ab",
            "eagle3_one_model": False,
        }
    },
    "speculativeConfig: {decodingType: NGram, maxDraftLen: 4, maxMatchingNgramSize: 2, isPublicPool: false}": {
        "speculative_config": {
            "decoding_type": "NGram",
            "max_draft_len": 4,
            "max_matching_ngram_size": 2,
            "is_public_pool": False,
        }
    },
    "speculativeConfig: {decodingType: AUTO, maxConcurrency: 8, allowAdvancedSampling: true}": {
        "speculative_config": {"decoding_type": "AUTO", "max_concurrency": 8, "allow_advanced_sampling": True}
    },
    "attnBackend: FLASHINFER": {"attn_backend": "FLASHINFER"},
    "enableAttentionDp: true": {"enable_attention_dp": True},
    "guidedDecodingBackend: xgrammar": {"guided_decoding_backend": "xgrammar"},
    "disableOverlapScheduler: true": {"disable_overlap_scheduler": True},
    "streamInterval: 8": {"stream_interval": 8},
    "enableIterPerfStats: true": {"enable_iter_perf_stats": True},
    "extraLlmApiOptions: {enable_autotuner: false}": {"enable_autotuner": False},
}


def tensorrt_llm(**given: Any) -> TensorRtLlm:
    """TensorRT-LLM of the newest known version with options as a stack file has them."""
    return TensorRtLlm.model_validate(
        {"name": "tensorrt-llm", "version": "1.2.1", **given}, by_alias=True, by_name=False
    )


def options_file(engine: TensorRtLlm) -> dict[str, Any]:
    """The file as trtllm-serve reads it."""
    return yaml.safe_load(engine.files(LAUNCH)[OPTIONS_FILE])


@pytest.mark.parametrize("row", ROWS)
def test_an_option_becomes_exactly_these_words_and_none_in_the_file(row: str) -> None:
    engine = tensorrt_llm(**yaml.safe_load(row))
    assert engine.args(LAUNCH) == FIXED + ROWS[row]
    assert options_file(engine) == {"return_perf_metrics": True}


@pytest.mark.parametrize("row", FILE_ROWS)
def test_a_backend_option_becomes_exactly_this_file_and_no_word(row: str) -> None:
    engine = tensorrt_llm(**yaml.safe_load(row))
    assert engine.args(LAUNCH) == FIXED
    assert options_file(engine) == {"return_perf_metrics": True, **FILE_ROWS[row]}


def test_every_typed_option_has_a_row() -> None:
    keys = {next(iter(yaml.safe_load(row))) for row in [*ROWS, *FILE_ROWS]}
    own = set(TensorRtLlm.model_fields) - set(Engine.model_fields)
    assert {TensorRtLlm.key_name(name) for name in own} == keys


@pytest.mark.parametrize("config", [KvCacheConfig, CudaGraphConfig, MoeConfig, SpeculativeConfig])
def test_every_key_of_a_nested_option_has_a_row(config: type[Spec]) -> None:
    given: set[str] = set()
    for row in FILE_ROWS:
        value = yaml.safe_load(row)[next(iter(yaml.safe_load(row)))]
        if isinstance(value, dict) and row.startswith(to_camel(_snake(config.__name__))):
            given |= set(value)
    assert {field.alias or to_camel(name) for name, field in config.model_fields.items()} == given


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


@pytest.mark.parametrize("version", versions("tensorrt-llm"))
@pytest.mark.parametrize("row", ROWS)
def test_every_word_is_an_option_of_the_release_with_a_value_it_takes(row: str, version: str) -> None:
    table = options("tensorrt-llm", version)
    for argument in tensorrt_llm(**yaml.safe_load(row), version=version).arguments(LAUNCH):
        if not argument.option:
            continue
        option = table[argument.option]
        assert (option.nargs == 0) == (argument.values == ())
        assert all(option.choices is None or value in option.choices for value in argument.values)
        if option.type in ("int", "float"):
            assert all(re.fullmatch(r"-?[0-9.]+", value) for value in argument.values)


@pytest.mark.parametrize("version", versions("tensorrt-llm"))
@pytest.mark.parametrize("row", FILE_ROWS)
def test_every_field_of_the_file_is_one_of_the_release(row: str, version: str) -> None:
    known = fields(version)
    assert known is not None
    for name, value in options_file(tensorrt_llm(**yaml.safe_load(row), version=version)).items():
        assert name in known[TOP]
        if isinstance(value, dict):
            assert set(value) <= known[name]


def test_the_fraction_goes_into_the_file_where_the_file_has_the_cache() -> None:
    engine = tensorrt_llm(kvCacheFreeGpuMemoryFraction=0.5, kvCacheConfig={"dtype": "fp8"})
    assert engine.args(LAUNCH) == FIXED
    assert options_file(engine)["kv_cache_config"] == {"dtype": "fp8", "free_gpu_memory_fraction": 0.5}


def test_a_version_like_another_has_its_fields_and_an_unknown_one_has_none() -> None:
    assert fields("1.2.2", {"1.2.2": {"like": "1.2.1"}}) == fields("1.2.1")
    assert fields("1.2.2") is None


def test_host_memory_counts_every_rank() -> None:
    engine = tensorrt_llm(tensorParallelSize=2, pipelineParallelSize=2, kvCacheConfig={"hostCacheSize": 10**9})
    assert engine.host_bytes(None, None) == 4 * 10**9
    assert engine.host_offload_bytes() == 0


def test_expert_and_attention_parallelism_bring_no_gpus() -> None:
    parallel = tensorrt_llm(tensorParallelSize=8, moeExpertParallelSize=4, enableAttentionDp=True).parallelism()
    assert (parallel.ranks, parallel.expert, parallel.attention_tensor) == (8, True, 1)
