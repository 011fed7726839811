"""From the stack file to the exact words of `vllm serve`: one row for each typed option, and for each key of a JSON option."""

import json
from typing import Any

import pytest
import yaml
from pydantic.alias_generators import to_camel

from catalog.options import Option, options
from components.engines.base import Engine, Launch
from components.engines.vllm import Vllm
from components.engines.vllm_json import JsonOption
from components.engines.vllm_kv_transfer import KvTransferConfig
from components.engines.vllm_nested import CompilationConfig, EplbConfig, LoraModule, StructuredOutputsConfig
from components.engines.vllm_speculative import (
    DraftModelSpeculation,
    EagleSpeculation,
    MtpSpeculation,
    NgramSpeculation,
    SuffixSpeculation,
)

VERSIONS = ("0.29.0", "0.32.0", "0.33.0")
LAUNCH = Launch(
    model="/models/llama/0123456789ab",
    revision=None,
    served_name="llama",
    shutdown_timeout_seconds=45,
    startup_seconds=900,
    cache_dir="/cache",
    locations={"draft": "/models/draft/0123456789ab", "sql": "/models/sql/0123456789ab"},
)
FIXED = ["/models/llama/0123456789ab", "--port=8000", "--shutdown-timeout=45", "--served-model-name=llama"]

ROWS: dict[str, list[str]] = {
    "tensorParallelSize: 4": ["--tensor-parallel-size=4"],
    "pipelineParallelSize: 2": ["--pipeline-parallel-size=2"],
    "prefillContextParallelSize: 2": ["--prefill-context-parallel-size=2"],
    "decodeContextParallelSize: 2": ["--decode-context-parallel-size=2"],
    "dataParallelSize: 2": ["--data-parallel-size=2"],
    "dataParallelBackend: mp": ["--data-parallel-backend=mp"],
    "apiServerCount: 4": ["--api-server-count=4"],
    "enableExpertParallel: true": ["--enable-expert-parallel"],
    "all2allBackend: deepep_low_latency": ["--all2all-backend=deepep_low_latency"],
    "enableEplb: true": ["--enable-eplb"],
    "eplbConfig: {windowSize: 500}": ['--eplb-config={"window_size":500}'],
    "expertPlacementStrategy: round_robin": ["--expert-placement-strategy=round_robin"],
    "moeBackend: triton": ["--moe-backend=triton"],
    "maxModelLen: 8192": ["--max-model-len=8192"],
    "maxModelLen: auto": ["--max-model-len=auto"],
    "gpuMemoryUtilization: 0.85": ["--gpu-memory-utilization=0.85"],
    "kvCacheMemoryBytes: 1073741824": ["--kv-cache-memory-bytes=1073741824"],
    "kvCacheDtype: fp8": ["--kv-cache-dtype=fp8"],
    "blockSize: 32": ["--block-size=32"],
    "cpuOffloadGb: 4": ["--cpu-offload-gb=4.0"],
    "kvOffloadingSize: 12.5": ["--kv-offloading-size=12.5"],
    "kvOffloadingBackend: native": ["--kv-offloading-backend=native"],
    "kvTransferConfig: {kvConnector: NixlConnector, kvRole: kv_both}": [
        '--kv-transfer-config={"kv_connector":"NixlConnector","kv_role":"kv_both"}'
    ],
    "maxNumSeqs: 128": ["--max-num-seqs=128"],
    "maxNumBatchedTokens: 4096": ["--max-num-batched-tokens=4096"],
    "enableChunkedPrefill: true": ["--enable-chunked-prefill"],
    "enableChunkedPrefill: false": ["--disable-chunked-prefill"],
    "enablePrefixCaching: false": ["--disable-prefix-caching"],
    "schedulingPolicy: priority": ["--scheduling-policy=priority"],
    "asyncScheduling: false": ["--no-async-scheduling"],
    "quantization: fp8_per_block": ["--quantization=fp8_per_block"],
    "quantizationConfig: {ignore: [lm_head]}": ['--quantization-config={"ignore":["lm_head"]}'],
    "dtype: bfloat16": ["--dtype=bfloat16"],
    "hfOverrides: {rope_theta: 1000000.0}": ['--hf-overrides={"rope_theta":1000000.0}'],
    "loadFormat: runai_streamer": ["--load-format=runai_streamer"],
    "modelLoaderExtraConfig: {memory_limit: 5368709120, concurrency: 16}": [
        '--model-loader-extra-config={"concurrency":16,"memory_limit":5368709120}'
    ],
    "safetensorsLoadStrategy: prefetch": ["--safetensors-load-strategy=prefetch"],
    "attentionBackend: FLASHINFER": ["--attention-backend=FLASHINFER"],
    "enforceEager: true": ["--enforce-eager"],
    "enforceEager: false": ["--no-enforce-eager"],
    "optimizationLevel: 0": ["--optimization-level=0"],
    "performanceMode: throughput": ["--performance-mode=throughput"],
    "compilationConfig: {mode: 3, cudagraphMode: FULL}": ['--compilation-config={"cudagraph_mode":"FULL","mode":3}'],
    "speculativeConfig: {method: ngram, numSpeculativeTokens: 5, promptLookupMax: 4}": [
        '--speculative-config={"method":"ngram","num_speculative_tokens":5,"prompt_lookup_max":4}'
    ],
    "speculativeConfig: {method: ngram_gpu, numSpeculativeTokens: 5}": [
        '--speculative-config={"method":"ngram_gpu","num_speculative_tokens":5}'
    ],
    "speculativeConfig: {method: suffix}": ['--speculative-config={"method":"suffix"}'],
    "speculativeConfig: {method: draft_model, model: draft, numSpeculativeTokens: 3, draftTensorParallelSize: 1}": [
        '--speculative-config={"draft_tensor_parallel_size":1,"method":"draft_model",'
        '"model":"/models/draft/0123456789ab","num_speculative_tokens":3}'
    ],
    "speculativeConfig: {method: eagle, model: draft, numSpeculativeTokens: 3}": [
        '--speculative-config={"method":"eagle","model":"/models/draft/0123456789ab","num_speculative_tokens":3}'
    ],
    "speculativeConfig: {method: eagle3, model: draft, numSpeculativeTokens: 3}": [
        '--speculative-config={"method":"eagle3","model":"/models/draft/0123456789ab","num_speculative_tokens":3}'
    ],
    "speculativeConfig: {method: mtp, numSpeculativeTokens: 1}": [
        '--speculative-config={"method":"mtp","num_speculative_tokens":1}'
    ],
    "enableLora: true": ["--enable-lora"],
    "loraModules: [{name: sql, model: sql}, {name: sql-2, model: sql, baseModelName: llama}]": [
        "--lora-modules",
        '{"name":"sql","path":"/models/sql/0123456789ab"}',
        '{"base_model_name":"llama","name":"sql-2","path":"/models/sql/0123456789ab"}',
    ],
    "maxLoras: 4": ["--max-loras=4"],
    "maxLoraRank: 64": ["--max-lora-rank=64"],
    "maxCpuLoras: 8": ["--max-cpu-loras=8"],
    "loraDtype: bfloat16": ["--lora-dtype=bfloat16"],
    "fullyShardedLoras: true": ["--fully-sharded-loras"],
    "enableSleepMode: true": ["--enable-sleep-mode"],
    "structuredOutputsConfig: {backend: xgrammar, disableAnyWhitespace: true}": [
        '--structured-outputs-config={"backend":"xgrammar","disable_any_whitespace":true}'
    ],
    "enableAutoToolChoice: true": ["--enable-auto-tool-choice"],
    "toolCallParser: hermes": ["--tool-call-parser=hermes"],
    "reasoningParser: qwen3": ["--reasoning-parser=qwen3"],
    "chatTemplate: /opt/templates/hermes.jinja": ["--chat-template=/opt/templates/hermes.jinja"],
    'chatTemplate: "{{ messages }}"': ["--chat-template=/etc/llm-serving/chat-template.jinja"],
    "defaultChatTemplateKwargs: {enable_thinking: false}": ['--default-chat-template-kwargs={"enable_thinking":false}'],
    "generationConfig: vllm": ["--generation-config=vllm"],
    "overrideGenerationConfig: {temperature: 0.2}": ['--override-generation-config={"temperature":0.2}'],
    "maxLogprobs: 5": ["--max-logprobs=5"],
    "limitMmPerPrompt: {image: 2, video: 0}": ['--limit-mm-per-prompt={"image":2,"video":0}'],
    "languageModelOnly: true": ["--language-model-only"],
    "trustRemoteCode: true": ["--trust-remote-code"],
    "enableLogRequests: true": ["--enable-log-requests"],
    "allowDeprecatedQuantization: true": ["--allow-deprecated-quantization"],
    "seed: 7": ["--seed=7"],
}
SERVED = "servedModelName: [a, b]"

NESTED: dict[type[JsonOption], dict[str, Any]] = {
    KvTransferConfig: {
        "kvConnector": ("kv_connector", "OffloadingConnector"),
        "kvRole": ("kv_role", "kv_both"),
        "kvConnectorExtraConfig": ("kv_connector_extra_config", {"cpu_bytes_to_use": 5}),
        "kvBufferDevice": ("kv_buffer_device", "cpu"),
        "kvPort": ("kv_port", 14580),
        "kvLoadFailurePolicy": ("kv_load_failure_policy", "recompute"),
        "kvConnectorModulePath": ("kv_connector_module_path", "mine.connector"),
        "engineId": ("engine_id", "prefill-0"),
        "enablePermuteLocalKv": ("enable_permute_local_kv", True),
    },
    CompilationConfig: {
        "mode": ("mode", 1),
        "cudagraphMode": ("cudagraph_mode", "PIECEWISE"),
        "cudagraphCaptureSizes": ("cudagraph_capture_sizes", [1, 8]),
        "maxCudagraphCaptureSize": ("max_cudagraph_capture_size", 64),
        "compileSizes": ("compile_sizes", [8, "cudagraph_capture_sizes"]),
        "customOps": ("custom_ops", ["none", "+rms_norm"]),
        "useInductorGraphPartition": ("use_inductor_graph_partition", True),
        "passConfig": ("pass_config", {"fuse_allreduce_rms": False}),
    },
    StructuredOutputsConfig: {
        "backend": ("backend", "guidance"),
        "disableAnyWhitespace": ("disable_any_whitespace", True),
        "disableAdditionalProperties": ("disable_additional_properties", True),
        "enableInReasoning": ("enable_in_reasoning", True),
    },
    EplbConfig: {
        "windowSize": ("window_size", 10),
        "stepInterval": ("step_interval", 10),
        "numRedundantExperts": ("num_redundant_experts", 2),
        "useAsync": ("use_async", False),
    },
    LoraModule: {
        "name": ("name", "sql"),
        "model": ("path", "/models/sql/0123456789ab", "sql"),
        "baseModelName": ("base_model_name", "llama"),
    },
    NgramSpeculation: {
        "method": ("method", "ngram_gpu"),
        "numSpeculativeTokens": ("num_speculative_tokens", 4),
        "rejectionSampleMethod": ("rejection_sample_method", "block"),
        "numSpeculativeTokensPerBatchSize": ("num_speculative_tokens_per_batch_size", [[1, 8, 4], [9, 64, 0]]),
        "promptLookupMax": ("prompt_lookup_max", 5),
        "promptLookupMin": ("prompt_lookup_min", 2),
    },
    SuffixSpeculation: {
        "method": ("method", "suffix"),
        "suffixDecodingMaxTreeDepth": ("suffix_decoding_max_tree_depth", 16),
        "suffixDecodingMaxCachedRequests": ("suffix_decoding_max_cached_requests", 0),
        "suffixDecodingMaxSpecFactor": ("suffix_decoding_max_spec_factor", 2.0),
        "suffixDecodingMinTokenProb": ("suffix_decoding_min_token_prob", 0.2),
    },
    DraftModelSpeculation: {
        "method": ("method", "draft_model"),
        "model": ("model", "/models/draft/0123456789ab", "draft"),
        "draftTensorParallelSize": ("draft_tensor_parallel_size", 1),
        "quantization": ("quantization", "fp8"),
        "maxModelLen": ("max_model_len", 4096),
        "attentionBackend": ("attention_backend", "FLASH_ATTN"),
        "kvCacheDtype": ("kv_cache_dtype", "fp8"),
        "moeBackend": ("moe_backend", "triton"),
        "draftSampleMethod": ("draft_sample_method", "probabilistic"),
        "enforceEager": ("enforce_eager", True),
        "useLocalArgmaxReduction": ("use_local_argmax_reduction", True),
        "parallelDrafting": ("parallel_drafting", True),
        "useHeterogeneousVocab": ("use_heterogeneous_vocab", True),
    },
    EagleSpeculation: {
        "method": ("method", "eagle3"),
        "model": ("model", "/models/draft/0123456789ab", "draft"),
        "parallelDrafting": ("parallel_drafting", True),
        "disablePaddedDrafterBatch": ("disable_padded_drafter_batch", True),
        "disableEagleBlockDrop": ("disable_eagle_block_drop", True),
        "draftLmHeadQuantization": ("draft_lm_head_quantization", "fp8"),
    },
    MtpSpeculation: {
        "method": ("method", "mtp"),
        "model": ("model", "/models/draft/0123456789ab", "draft"),
        "indexShareForMtpIteration": ("index_share_for_mtp_iteration", True),
        "disableEagleBlockDrop": ("disable_eagle_block_drop", True),
        "draftLmHeadQuantization": ("draft_lm_head_quantization", "nvfp4"),
    },
}
NEEDED: dict[type[JsonOption], dict[str, Any]] = {
    KvTransferConfig: {"kvConnector": "OffloadingConnector"},
    LoraModule: {"name": "sql", "model": "sql"},
    NgramSpeculation: {"method": "ngram", "numSpeculativeTokens": 4},
    SuffixSpeculation: {"method": "suffix"},
    DraftModelSpeculation: {"method": "draft_model", "model": "draft", "numSpeculativeTokens": 4},
    EagleSpeculation: {"method": "eagle", "model": "draft", "numSpeculativeTokens": 4},
    MtpSpeculation: {"method": "mtp", "numSpeculativeTokens": 4},
}


def engine(text: str, version: str = "0.33.0") -> Vllm:
    written = {"name": "vllm", "version": version, **yaml.safe_load(text)}
    return Vllm.model_validate(written, by_alias=True, by_name=False)


def without_a_key() -> set[str]:
    return set(Engine.model_fields) | {"name", "version"}


@pytest.mark.parametrize(("text", "words"), ROWS.items(), ids=list(ROWS))
def test_a_key_becomes_exactly_these_words(text: str, words: list[str]) -> None:
    assert engine(text).args(LAUNCH) == FIXED + words


def test_served_names_replace_the_one_of_the_stack_file() -> None:
    assert engine(SERVED).args(LAUNCH) == [*FIXED[:3], "--served-model-name", "a", "b"]


def test_every_typed_option_has_a_row() -> None:
    tested = {key for text in [*ROWS, SERVED] for key in yaml.safe_load(text)}
    keys = {Vllm.key_name(field) for field in Vllm.model_fields if field not in without_a_key()}
    assert keys == tested


def test_every_key_of_a_json_option_has_a_row() -> None:
    shared = set(NESTED[NgramSpeculation]) | set(NESTED[DraftModelSpeculation])  # rows of the keys that methods share
    for kind, rows in NESTED.items():
        keys = {one.alias or to_camel(field) for field, one in kind.model_fields.items()}
        assert keys - set(rows) <= (shared if kind.__name__.endswith("Speculation") else set()), kind.__name__


@pytest.mark.parametrize(
    ("kind", "key", "row"),
    [(kind, key, row) for kind, rows in NESTED.items() for key, row in rows.items()],
    ids=[f"{kind.__name__}.{key}" for kind, rows in NESTED.items() for key in rows],
)
def test_a_key_of_a_json_option_becomes_exactly_this(kind: type[JsonOption], key: str, row: Any) -> None:
    name, value, written = row if len(row) == 3 else (*row, row[1])
    found = kind.model_validate({**NEEDED.get(kind, {}), key: written}, by_alias=True, by_name=False).content(LAUNCH)
    assert found[name] == value
    plain = kind.model_validate(NEEDED.get(kind, {}), by_alias=True, by_name=False).content(LAUNCH)
    assert {other: found[other] for other in found if other != name} == {
        other: plain[other] for other in plain if other != name
    }


def test_sizes_of_one_and_options_left_out_emit_nothing() -> None:
    sizes = "{tensorParallelSize: 1, pipelineParallelSize: 1, dataParallelSize: 1, decodeContextParallelSize: 1}"
    assert engine(sizes).args(LAUNCH) == FIXED


def test_the_order_of_keys_in_the_stack_file_changes_nothing() -> None:
    one = "{seed: 1, maxModelLen: 5, compilationConfig: {mode: 3, cudagraphMode: FULL}, hfOverrides: {b: 1, a: 2}}"
    two = "{hfOverrides: {a: 2, b: 1}, compilationConfig: {cudagraphMode: FULL, mode: 3}, maxModelLen: 5, seed: 1}"
    assert engine(one).args(LAUNCH) == engine(two).args(LAUNCH)


def test_a_download_is_pinned_for_the_draft_too() -> None:
    launch = Launch(
        model="meta-llama/Llama-3.1-8B-Instruct",
        revision="a" * 40,
        served_name="llama",
        shutdown_timeout_seconds=45,
        startup_seconds=900,
        cache_dir="/cache",
        locations={"draft": "yuhuili/EAGLE3-LLaMA3.1-Instruct-8B"},
        revisions={"draft": "b" * 40},
    )
    words = engine("speculativeConfig: {method: eagle3, model: draft, numSpeculativeTokens: 3}").args(launch)
    assert words[:2] == ["meta-llama/Llama-3.1-8B-Instruct", f"--revision={'a' * 40}"]
    assert json.loads(words[-1].partition("=")[2]) == {
        "method": "eagle3",
        "model": "yuhuili/EAGLE3-LLaMA3.1-Instruct-8B",
        "revision": "b" * 40,
        "num_speculative_tokens": 3,
    }


@pytest.mark.parametrize("text", [*ROWS, SERVED])
@pytest.mark.parametrize("version", VERSIONS)
def test_every_argument_is_an_option_of_the_version(version: str, text: str) -> None:
    table = options("vllm", version)
    for argument in engine(text, version).arguments(LAUNCH):
        if argument.option:
            assert argument.option in table, argument.option
            fits(table[argument.option], argument.values)


def fits(option: Option, values: tuple[str, ...]) -> None:
    assert (option.nargs == 0) == (not values), option.name
    assert len(values) == 1 or option.nargs in (0, "+", "*"), option.name
    assert option.choices is None or set(values) <= set(option.choices), option.name
    if option.type in ("int", "float"):
        assert all(float(value) == float(value) for value in values)


def test_the_words_of_a_flag_that_is_off_are_those_of_the_version() -> None:
    off = "{enablePrefixCaching: false, asyncScheduling: false}"
    assert engine(off, "0.32.0").args(LAUNCH)[4:] == ["--no-enable-prefix-caching", "--no-async-scheduling"]
    assert engine(off, "0.33.0").args(LAUNCH)[4:] == ["--disable-prefix-caching", "--no-async-scheduling"]


def test_references_are_the_draft_and_the_adapters_once_each() -> None:
    text = (
        "{speculativeConfig: {method: eagle, model: draft, numSpeculativeTokens: 2}, "
        "loraModules: [{name: a, model: sql}, {name: b, model: sql}]}"
    )
    assert engine(text).references() == ("draft", "sql")
    assert engine("{}").references() == ()


def test_a_chat_template_as_text_becomes_a_file() -> None:
    assert engine('chatTemplate: "{{ messages }}"').files(LAUNCH) == {"chat-template.jinja": "{{ messages }}"}
    assert engine("chatTemplate: /opt/a.jinja").files(LAUNCH) == {}
