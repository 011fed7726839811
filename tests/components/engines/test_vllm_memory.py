"""The memory estimate of vLLM: arithmetic of each rank, KV cache layouts, versions, documented start-ups."""

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.architecture import Architecture
from catalog.gpus import gpus
from catalog.models import find, models
from components.engines.vllm_kv import KvGroup, KvLayout, kv_layout, state_bytes
from components.engines.vllm_memory import MemoryEstimate, VllmMemoryInputs, allowed_tensor_parallel, estimate
from components.engines.vllm_overhead import Batch, capture_sizes, default_batch, release
from components.engines.vllm_weights import Parallelism, Stage, pipeline_stages, stage_weights_bytes

GIB = 1024**3
WHOLE: dict[str, Any] = {"kv_cache_dtype": "auto", "dtype": "bfloat16", "batched_tokens": 8192, "hopper": False}


def model(name: str) -> Architecture:
    arch = models().get(name) or find(name)
    assert arch is not None, name
    return arch


def got(name: str, gpu: str, **options: Any) -> MemoryEstimate:
    given: dict[str, Any] = {"version": "0.33.0", **options}
    return estimate(VllmMemoryInputs(architecture=model(name), gpu=gpus()[gpu], **given))


def weights(name: str, tensor: int = 1, stage: Stage | None = None, **parallel: Any) -> float:
    arch = model(name)
    whole = Stage(layers=arch.num_hidden_layers, first=True, last=True)
    ranks = Parallelism(tensor=tensor, **parallel)
    dtype = "float16" if arch.torch_dtype == "float16" else "bfloat16"
    return stage_weights_bytes(arch, stage or whole, ranks, arch.quantization, dtype, (0, 19, 0))


def layout(name: str, tensor: int = 1, layers: int | None = None, **changes: Any) -> KvLayout:
    arch = model(name)
    return kv_layout(arch, layers=layers or arch.num_hidden_layers, tensor=tensor, **{**WHOLE, **changes})


def test_weights_of_a_dense_rank_are_its_share_and_the_whole_rotary_table_and_norms() -> None:
    vocab, layers = 128256 * 4096, 32 * (4096 * 128 * (32 + 16 + 32) + 3 * 4096 * 14336)
    whole = 65 * 4096 + 131072 * 128
    assert weights("Llama-3.1-8B-Instruct") == 2 * (2 * vocab + layers + whole)
    assert weights("Llama-3.1-8B-Instruct", 4) == 2 * (2 * vocab / 4 + layers / 4 + whole)


def test_a_rank_never_holds_less_than_one_kv_head() -> None:
    arch = model("Qwen3-30B-A3B")  # 4 KV heads
    divided = weights("Qwen3-30B-A3B") / 8
    replicated = arch.num_hidden_layers * 2 * 2048 * 128 * (1 - 4 / 8) * 2
    whole = (48 * 2048 * 128 + 97 * 2048 + 40960 * 128) * 2 * 7 / 8  # router, norms and rotary table
    assert weights("Qwen3-30B-A3B", 8) == divided + replicated + whole


def test_the_vocabulary_is_padded_to_64_before_it_is_divided() -> None:
    granite = model("granite-3.1-8b-instruct")  # 49155 -> 49216
    odd = replace(granite, vocab_size=49216)
    stage = Stage(layers=40, first=True, last=True)
    for tensor in (1, 2, 4):
        ranks = Parallelism(tensor=tensor)
        args = (stage, ranks, None, "bfloat16", (0, 19, 0))
        assert stage_weights_bytes(granite, *args) == stage_weights_bytes(odd, *args)


def test_expert_parallelism_gives_whole_experts_and_data_parallelism_spreads_them() -> None:
    experts = 58 * 256 * 3 * 7168 * 2048 * (1 + 4 / 128**2)  # block FP8: one fp32 scale for 128 x 128
    for expert in (False, True):
        spread = weights("DeepSeek-V3", 8) - weights("DeepSeek-V3", 8, data=2, expert=expert)
        assert spread == pytest.approx(experts / 8 - experts / 16)
    uneven = weights("DeepSeek-V3", 6, expert=True) - weights("DeepSeek-V3", 6)
    assert uneven == pytest.approx(experts * (43 / 256 - 1 / 6))


def test_mla_keeps_its_down_projections_whole_and_absorbs_the_up_projections() -> None:
    arch = model("DeepSeek-V2-Lite-Chat")
    none = replace(arch, kv_lora_rank=None, qk_rope_head_dim=None, num_key_value_heads=16, head_dim=128)
    assert arch.mla
    assert not none.mla
    held = 27 * 2048 * (512 + 64)
    absorbed = 27 * 16 * 512 * 256
    one, four = weights("DeepSeek-V2-Lite-Chat"), weights("DeepSeek-V2-Lite-Chat", 4)
    whole = 2 * (held + 26 * 2048 * 64 + 55 * 2048 + 163840 * 64)
    assert one - four == pytest.approx((one - whole) * 3 / 4)
    assert one == 2 * (arch.params + absorbed + 163840 * 64)


def test_unequal_pipeline_stages_follow_vllm() -> None:
    assert [stage.layers for stage in pipeline_stages(30, 4)] == [7, 8, 8, 7]
    assert [stage.layers for stage in pipeline_stages(126, 4)] == [31, 32, 32, 31]
    assert [stage.layers for stage in pipeline_stages(61, 2)] == [31, 30]
    assert [(stage.first, stage.last) for stage in pipeline_stages(2, 2)] == [(True, False), (False, True)]


@given(layers=st.integers(1, 200), size=st.integers(1, 16))
def test_pipeline_stages_hold_every_layer_and_differ_by_at_most_one(layers: int, size: int) -> None:
    counts = [stage.layers for stage in pipeline_stages(layers, size)]
    assert sum(counts) == layers
    assert max(counts) - min(counts) <= 1


def test_embedding_and_output_head_sit_on_the_first_and_the_last_stage() -> None:
    arch = model("Llama-3.1-8B-Instruct")
    first, last = pipeline_stages(32, 2)
    vocab = 2 * 128256 * 4096
    middle = weights("Llama-3.1-8B-Instruct", stage=Stage(layers=16, first=False, last=False))
    assert weights("Llama-3.1-8B-Instruct", stage=first) == middle + vocab
    assert weights("Llama-3.1-8B-Instruct", stage=last) == middle + vocab
    tied = replace(arch, tie_word_embeddings=True)
    args = (Parallelism(), None, "bfloat16", (0, 19, 0))
    assert stage_weights_bytes(tied, last, *args) == middle + vocab
    assert stage_weights_bytes(tied, Stage(layers=32, first=True, last=True), *args) == weights(arch.name) - vocab


def test_kv_bytes_per_token_of_every_kind_of_attention() -> None:
    assert layout("Llama-3.3-70B-Instruct", 8).bytes_per_token == 80 * 2 * 1 * 128 * 2 == 40960
    assert layout("Llama-3.3-70B-Instruct", 16).bytes_per_token == 40960  # replicated past 8 KV heads
    assert layout("Phi-3-mini-4k-instruct").bytes_per_token == 393216
    assert layout("Llama-3.1-8B-Instruct", kv_cache_dtype="fp8").bytes_per_token == 65536
    assert layout("DeepSeek-V3", 8).bytes_per_token == layout("DeepSeek-V3").bytes_per_token == 70272
    assert layout("DeepSeek-V3.2").bytes_per_token == 61 * (1152 + 132)
    assert layout("DeepSeek-V3.2", kv_cache_dtype="fp8", hopper=True).bytes_per_token == 61 * (656 + 132)
    assert layout("DeepSeek-V3.2", kv_cache_dtype="fp8").bytes_per_token == 61 * (576 + 132)
    assert layout("gpt-oss-20b").bytes_per_token == 12 * 2 * 8 * 64 * 2  # only the full-attention layers grow


def test_a_cache_dtype_of_unknown_size_is_refused() -> None:
    with pytest.raises(ValueError, match="kv cache dtype 'turboquant_k8v4': its size per token isn't known here"):
        layout("phi-4", kv_cache_dtype="turboquant_k8v4")


def test_sliding_layers_share_one_pool_with_the_full_ones() -> None:
    full, sliding = KvGroup(kind="full", block_tokens=16), KvGroup(kind="sliding", block_tokens=16, window=4096)
    got = layout("Gemma-2-27b-it")
    assert got == KvLayout(
        groups=(full, replace(sliding, window=4096)), block_bytes=23 * 2 * 16 * 128 * 2 * 16,
        bytes_per_token=23 * 2 * 16 * 128 * 2, batched_tokens=8192,
    )  # fmt: skip
    assert got.request_blocks(8192) == 512 + 513
    assert got.request_blocks(100_000) == 6250 + math.ceil((4095 + 8192) / 16) + 1
    gemma = layout("Gemma-3-27b-it")  # 10 full and 52 sliding layers: groups of 10
    assert [group.kind for group in gemma.groups] == ["full", *["sliding"] * 6]
    scout = layout("Llama-4-Scout-17B-16E-Instruct", 4)
    assert [group.kind for group in scout.groups] == ["full", "chunked", "chunked", "chunked"]
    assert scout.request_blocks(8192) == 4 * 512


def test_wider_pages_take_more_tokens_of_the_narrow_layers() -> None:
    got = layout("gemma-4-31B-it")  # full: 4 heads of 512; sliding: 16 heads of 256
    assert {(group.kind, group.block_tokens) for group in got.groups} == {("full", 32), ("sliding", 16)}


def test_a_hybrid_models_attention_block_grows_to_hold_a_state() -> None:
    arch = model("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-FP8")
    assert arch.linear_attention is not None
    state = (64 * 64 + 2 * 8 * 128) * 3 * 2 + 64 * 64 * 128 * 4
    assert state_bytes(arch.linear_attention, 1) == state
    got = layout("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-FP8", kv_cache_dtype="fp8")
    assert [(group.kind, group.block_tokens) for group in got.groups] == [("full", 4176), *[("state", 0)] * 4]
    assert got.block_bytes == 6 * 4176 * 512
    assert got.request_blocks(8192) == 2 + 4
    assert replace(got, state_blocks=2).request_blocks(8192) == 2 + 8


@given(blocks=st.integers(0, 100_000), limit=st.integers(1, 200_000), window=st.integers(1, 10_000))
def test_the_largest_length_fits_and_the_next_one_does_not(blocks: int, limit: int, window: int) -> None:
    groups = (KvGroup(kind="full", block_tokens=16), KvGroup(kind="sliding", block_tokens=16, window=window))
    pool = KvLayout(groups=groups, block_bytes=1, bytes_per_token=1, batched_tokens=2048)
    best = pool.largest_length(blocks, limit)
    assert 0 <= best <= limit
    assert best == 0 or pool.request_blocks(best) <= blocks
    assert best == limit or pool.request_blocks(best + 1) > blocks


@pytest.mark.parametrize(
    ("name", "allowed"),
    [
        ("Qwen2.5-7B-Instruct", (1, 2, 4)),  # 28 heads, 4 KV heads
        ("Qwen2.5-32B-Instruct", (1, 2, 4, 8)),  # 40 heads
        ("phi-4", (1, 2)),  # 10 KV heads; 5 and 10 divide the heads but not the vocabulary
        ("Qwen3-14B", (1, 2, 4, 8)),
        ("Qwen3-235B-A22B", (1, 2, 4, 8, 16)),  # 4 KV heads, replicated from 8
        ("Gemma-3-27b-it", (1, 2, 4, 8, 16)),
        ("DeepSeek-V3", (1, 2, 4, 8, 16)),
        ("Qwen3.5-35B-A3B", (1, 2, 4, 8, 16)),
    ],
)
def test_tensor_parallel_sizes(name: str, allowed: tuple[int, ...]) -> None:
    assert allowed_tensor_parallel(model(name), 16) == allowed


def test_batch_defaults_follow_gpu_and_version() -> None:
    assert default_batch((0, 33, 0), 79.18, "H100-80GB") == Batch(seqs=1024, tokens=8192)
    assert default_batch((0, 33, 0), 79.25, "A100-80GB") == Batch(seqs=256, tokens=2048)
    assert default_batch((0, 33, 0), 178.35, "B200") == Batch(seqs=1024, tokens=16384)
    assert default_batch((0, 26, 0), 178.35, "B200") == Batch(seqs=1024, tokens=8192)
    assert default_batch((0, 33, 0), 22.03, "L4") == Batch(seqs=256, tokens=2048)


def test_captured_sizes() -> None:
    assert capture_sizes(Batch(seqs=1024, tokens=8192), 512) == 51  # rows P003 ff.: PIECEWISE=51 (largest=512)
    assert capture_sizes(Batch(seqs=1024, tokens=8192), 1024) == 83  # row P052: PIECEWISE=83 (largest=1024)
    assert capture_sizes(Batch(seqs=8, tokens=8192), 512) == 5


@pytest.mark.parametrize(
    ("text", "numbers"), [("0.33.0", (0, 33, 0)), ("v0.18.0+rhaiv.7", (0, 18, 0)), ("0.20", (0, 20, 0))]
)
def test_a_version_is_read(text: str, numbers: tuple[int, ...]) -> None:
    assert release(text) == numbers


def test_what_is_not_a_version_is_refused() -> None:
    with pytest.raises(ValueError, match=r"vLLM version 'latest' isn't a version number: use for example 0\.33\.0"):
        got("phi-4", "H100-80GB", version="latest")


def test_the_budget_is_divided_without_rest() -> None:
    for name, gpu, tensor in (("phi-4", "L4", 2), ("DeepSeek-V3", "H200", 8), ("gpt-oss-20b", "H100-80GB", 1)):
        one = got(name, gpu, tensor_parallel_size=tensor)
        parts = one.weights_gib + one.non_torch_gib + one.activation_gib + one.cudagraph_gib + one.kv_gib
        assert parts == pytest.approx(one.budget_gib)
        assert one.budget_gib == pytest.approx(one.total_gib * 0.92)
        assert one.kv_gib_low < one.kv_gib < one.kv_gib_high


def test_graphs_are_subtracted_from_0_20_and_absent_when_eager() -> None:
    before, after = (got("phi-4", "H100-80GB", version=version) for version in ("0.19.0", "0.20.0"))
    assert before.kv_gib - after.kv_gib == pytest.approx(after.cudagraph_gib)
    eager = got("phi-4", "H100-80GB", version="0.20.0", enforce_eager=True)
    assert (eager.cudagraph_gib, eager.kv_gib) == (0, pytest.approx(before.kv_gib))


def test_llama_70b_on_eight_h100_leaves_about_53_gib_and_1_39_million_tokens() -> None:
    one = got("Llama-3.3-70B-Instruct", "H100-80GB", tensor_parallel_size=8)
    assert one.weights_gib == pytest.approx(16.4, abs=0.1)
    assert one.kv_gib == pytest.approx(53, abs=3)
    assert one.kv_tokens == pytest.approx(1.39e6, rel=0.06)
    assert (one.kv_bytes_per_token, one.fits_context) == (40960, True)


def test_llama_70b_on_eight_a10g_holds_the_weights_but_not_the_default_context() -> None:
    one = got("Llama-3.3-70B-Instruct", "A10G", tensor_parallel_size=8)
    assert (one.fits_weights, one.fits_context, one.max_model_len) == (True, False, 131072)
    assert 20_000 < one.largest_max_model_len < 45_000
    assert got("Llama-3.3-70B-Instruct", "A10G", tensor_parallel_size=8, max_model_len=8192).fits_context
    assert not got("Llama-3.3-70B-Instruct", "A10G", tensor_parallel_size=4).fits_weights


@pytest.mark.parametrize(
    ("name", "gpu", "tensor", "fits"),
    [
        ("Llama-3.1-405B-Instruct", "H100-80GB", 8, False),
        ("RedHatAI/Meta-Llama-3.1-405B-Instruct-FP8", "H100-80GB", 8, True),
        ("Llama-3.1-405B-Instruct", "H200", 8, True),
        ("DeepSeek-V3", "H100-80GB", 8, False),
        ("DeepSeek-V3", "H200", 8, True),
        ("DeepSeek-R1", "B200", 8, True),
        ("casperhansen/llama-3-70b-instruct-awq", "A100-80GB", 4, True),
        ("Mistral-7B-Instruct-v0.3", "L4", 1, True),
        ("Qwen3-8B", "T4", 1, False),
    ],
)
def test_documented_fits(name: str, gpu: str, tensor: int, fits: bool) -> None:
    assert got(name, gpu, tensor_parallel_size=tensor, max_model_len=4096).fits_context is fits


def test_the_fullest_pipeline_stage_decides() -> None:
    one = got("Llama-3.1-405B-Instruct", "H100-80GB", tensor_parallel_size=8, pipeline_parallel_size=2)
    assert one.weights_gib == pytest.approx(405.85e9 * 2 / 16 / GIB, rel=0.01)
    assert (one.fits_context, one.extrapolated) == (True, True)
    assert one.basis.startswith("Extrapolated to vLLM 0.33, pipeline parallelism: ")


def test_what_was_measured_and_what_is_extrapolated() -> None:
    assert not got("phi-4", "H100-80GB", version="0.19.1").extrapolated
    measured = "H100-80GB, H200, B200, A100-80GB with vLLM 0.17 to 0.20"
    assert got("phi-4", "H200", version="0.18.0").basis == (
        f"Computed from the architecture, constants fit on {measured}."
    )
    assert got("phi-4", "L4").basis.startswith("Extrapolated to vLLM 0.33, L4: ")
    wide, narrow = (got("phi-4", "H100-80GB", version=version) for version in ("0.33.0", "0.19.0"))
    assert wide.kv_gib_high - wide.kv_gib_low > narrow.kv_gib_high - narrow.kv_gib_low > 0


def test_online_fp8_halves_the_linear_layers_and_fp8_cache_doubles_the_tokens() -> None:
    plain = got("Llama-3.1-8B-Instruct", "H100-80GB", version="0.19.0", max_model_len=8192)
    quantized = got("Llama-3.1-8B-Instruct", "H100-80GB", version="0.19.0", max_model_len=8192, quantization="fp8")
    assert plain.weights_gib == pytest.approx(14.99, abs=0.01)  # both measured in llm-d planner's report for 0.19.0
    assert quantized.weights_gib == pytest.approx(8.49, abs=0.01)
    cache = got("Llama-3.1-8B-Instruct", "H100-80GB", version="0.19.0", max_model_len=8192, kv_cache_dtype="fp8")
    assert cache.kv_gib == plain.kv_gib
    assert cache.kv_tokens == pytest.approx(2 * plain.kv_tokens, rel=1e-4)


def test_a_given_kv_cache_size_replaces_the_utilization() -> None:
    one = got("phi-4", "H100-80GB", kv_cache_memory_bytes=10 * GIB, max_model_len=8192)
    assert (one.kv_gib, one.kv_gib_low, one.kv_gib_high) == (10, 10, 10)
    assert one.kv_tokens == 10 * GIB // (204800 * 16) * 16


def test_a_share_of_a_gpu_replaces_its_memory_and_its_batch_defaults() -> None:
    one = got("Qwen3-8B", "H100-80GB", total_gib=39.0)
    assert (one.total_gib, one.max_num_seqs, one.max_num_batched_tokens) == (39.0, 256, 2048)


def test_prefix_caching_doubles_the_states_of_a_hybrid_model() -> None:
    options: dict[str, Any] = {"max_model_len": 8192}
    on, off = (got("Qwen3.5-35B-A3B", "H200", enable_prefix_caching=flag, **options) for flag in (True, False))
    assert on.max_concurrency < off.max_concurrency
    assert got("Qwen3.5-35B-A3B", "H200", **options).max_concurrency == on.max_concurrency
    old = got("Qwen3.5-35B-A3B", "H200", version="0.24.0", **options)
    assert old.max_concurrency > on.max_concurrency


@pytest.mark.parametrize(
    ("row", "name", "tensor", "utilization", "warm"),
    [
        ("P052", "gpt-oss-20b", 1, 0.95, False),
        ("P053", "gpt-oss-20b", 2, 0.95, False),
        ("P054", "gpt-oss-20b", 2, 0.90, True),
        ("P087", "gpt-oss-20b", 4, 0.95, True),
        ("P008", "Gemma-2-27b-it", 1, 0.95, True),
        ("P012", "Gemma-2-9b-it", 1, 0.95, True),
        ("P041", "Llama-4-Scout-17B-16E-Instruct", 4, 0.95, True),
        ("P069", "RedHatAI/Llama-3.3-70B-Instruct-quantized.w8a8", 2, 0.95, True),
    ],
)
def test_the_warm_up_after_the_kv_cache_as_measured(
    row: str, name: str, tensor: int, utilization: float, warm: bool
) -> None:
    one = got(
        name, "H100-80GB", version="0.19.0", tensor_parallel_size=tensor, gpu_memory_utilization=utilization,
        max_model_len=8192,
    )  # fmt: skip
    assert one.fits_context, row
    assert one.warmup_ok is warm, row


def test_fewer_sequences_cure_the_warm_up() -> None:
    options: dict[str, Any] = {"version": "0.19.0", "gpu_memory_utilization": 0.95, "max_model_len": 8192}
    assert got("gpt-oss-20b", "H100-80GB", max_num_seqs=256, **options).warmup_ok


@given(
    name=st.sampled_from(sorted(models())),
    gpu=st.sampled_from(["L4", "A100-80GB", "H100-80GB", "B200"]),
    tensor=st.sampled_from([1, 2, 4, 8]),
    pipeline=st.sampled_from([1, 2]),
    utilization=st.floats(0.1, 1.0),
    version=st.sampled_from(["0.16.0", "0.19.0", "0.20.2", "0.29.0", "0.33.0"]),
)
def test_any_estimate_is_consistent(
    name: str, gpu: str, tensor: int, pipeline: int, utilization: float, version: str
) -> None:
    one = got(
        name, gpu, tensor_parallel_size=tensor, pipeline_parallel_size=pipeline, gpu_memory_utilization=utilization,
        version=version,
    )  # fmt: skip
    assert one.weights_gib > 0
    assert one.activation_gib > 0
    assert one.fits_weights is (one.kv_tokens > 0 or one.kv_gib > 0)
    assert one.fits_context is (one.largest_max_model_len == one.max_model_len)
    assert one.fits_weights or not one.fits_context
    more = got(
        name, gpu, tensor_parallel_size=tensor, pipeline_parallel_size=pipeline,
        gpu_memory_utilization=min(1.0, utilization + 0.05), version=version,
    )  # fmt: skip
    assert more.kv_tokens >= one.kv_tokens
    assert more.largest_max_model_len >= one.largest_max_model_len
