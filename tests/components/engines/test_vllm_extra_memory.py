"""What a draft, LoRA, context parallelism, sleeping and offloading add to the memory of GPUs and pods."""

from typing import Any

import pytest

from catalog.gpus import gpus
from catalog.models import find, weights_bytes
from components.engines.base import Referenced
from components.engines.vllm import Vllm
from components.engines.vllm_engine import STREAMER_BYTES
from components.engines.vllm_extra_memory import lora_slots_bytes
from components.engines.vllm_kv_transfer import KvTransferConfig, host_bytes
from components.engines.vllm_memory import MemoryEstimate
from components.spec import GIB

LLAMA, SMALL, DEEPSEEK = (
    "meta-llama/Llama-3.1-8B-Instruct",
    "meta-llama/Llama-3.2-1B-Instruct",
    "deepseek-ai/DeepSeek-V3",
)


def shape(hf_id: str) -> Any:
    found = find(hf_id)
    assert found is not None
    return found


def vllm(**options: Any) -> Vllm:
    written = {"name": "vllm", "version": "0.33.0", "maxModelLen": 8192, **options}
    return Vllm.model_validate(written, by_alias=True, by_name=False)


def memory(
    hf_id: str = LLAMA, gpu: str = "H100-80GB", draft: Referenced | None = None, **options: Any
) -> MemoryEstimate:
    found = vllm(**options).memory(shape(hf_id), gpus()[gpu], None, {"draft": draft} if draft else {})
    assert found is not None
    return found


def guess(method: str, **more: Any) -> dict[str, Any]:
    return {"speculativeConfig": {"method": method, "numSpeculativeTokens": 1, **more}}


def test_a_draft_model_takes_its_weights_and_its_kv_cache() -> None:
    draft = Referenced(architecture=shape(SMALL), weights_size=None)
    plain, guessed = memory(), memory(draft=draft, **guess("draft_model", model="draft"))
    whole = weights_bytes(shape(SMALL))
    assert whole is not None
    assert guessed.weights_gib - plain.weights_gib == pytest.approx(whole / GIB, rel=0.05)
    per_token = 2 * shape(SMALL).num_hidden_layers * shape(SMALL).num_key_value_heads * shape(SMALL).head_dim * 2
    assert guessed.kv_bytes_per_token - plain.kv_bytes_per_token == per_token
    assert guessed.max_concurrency < plain.max_concurrency
    assert "a draft model" in guessed.basis


def test_tensor_parallelism_divides_the_draft_unless_it_runs_on_one_gpu() -> None:
    draft = Referenced(architecture=None, weights_size=4 * GIB)
    none = memory(tensorParallelSize=4)
    shared = memory(draft=draft, tensorParallelSize=4, **guess("eagle3", model="draft"))
    alone = memory(draft=draft, tensorParallelSize=4, **guess("eagle3", model="draft", draftTensorParallelSize=1))
    assert shared.weights_gib - none.weights_gib == pytest.approx(1)
    assert alone.weights_gib - none.weights_gib == pytest.approx(4)


def test_a_draft_of_unknown_size_is_said_to_be_one() -> None:
    found = memory(draft=Referenced(architecture=None, weights_size=None), **guess("eagle", model="draft"))
    assert found.extrapolated
    assert "a draft of unknown size" in found.basis


def test_prediction_layers_come_out_of_the_checkpoint() -> None:
    options: dict[str, Any] = {"gpu": "B200", "tensorParallelSize": 8}
    plain, guessed = memory(DEEPSEEK, **options), memory(DEEPSEEK, **options, **guess("mtp"))
    # One layer of 61, with 256 experts in FP8 and a projection: 11.5e9 parameters of the 14e9 that the repository lists for the module
    # (its embedding and output layer are shared), over 8 GPUs.
    assert 1.0 < guessed.weights_gib - plain.weights_gib < 1.8
    assert guessed.kv_bytes_per_token == pytest.approx(plain.kv_bytes_per_token * 62 / 61, rel=0.01)
    unknown = memory("Qwen/Qwen3-Next-80B-A3B-Instruct", gpu="B200", tensorParallelSize=2, **guess("mtp"))
    assert "layers of unknown size" in unknown.basis


def test_proposals_without_weights_take_none() -> None:
    found = memory(**guess("ngram"))
    assert found.weights_gib == memory().weights_gib
    assert found.kv_bytes_per_token == memory().kv_bytes_per_token


def test_lora_slots_grow_with_rank_and_slots_and_shrink_with_sharding() -> None:
    arch = shape(LLAMA)
    one = lora_slots_bytes(vllm(enableLora=True), arch)
    assert lora_slots_bytes(vllm(enableLora=True, maxLoras=4), arch) == 4 * one
    assert lora_slots_bytes(vllm(enableLora=True, maxLoraRank=64), arch) == 4 * one
    half = lora_slots_bytes(vllm(enableLora=True, tensorParallelSize=8), arch)
    assert lora_slots_bytes(vllm(enableLora=True, tensorParallelSize=8, fullyShardedLoras=True), arch) < half < one
    # q, k, v, o, gate, up, down of a layer of Llama 3.1 8B: the widths of both sides.
    layer = (4096 + 4096) + 2 * (4096 + 1024) + (4096 + 4096) + 2 * (4096 + 14336) + (14336 + 4096)
    assert one == 16 * 2 * (32 * layer + 2 * 4096 + 2 * 128256)
    found = memory(enableLora=True, maxLoras=8, maxLoraRank=128)
    assert found.weights_gib - memory().weights_gib == pytest.approx(64 * one / GIB)
    assert "LoRA" in found.basis


def test_decode_context_parallelism_shares_the_cache_of_a_sequence() -> None:
    options: dict[str, Any] = {"gpu": "B200", "tensorParallelSize": 8}
    plain, shared = memory(DEEPSEEK, **options), memory(DEEPSEEK, **options, decodeContextParallelSize=8)
    assert shared.kv_bytes_per_token == -(-plain.kv_bytes_per_token // 8)
    assert shared.max_concurrency == pytest.approx(8 * plain.max_concurrency, rel=0.02)
    assert "context parallelism" in shared.basis


def test_ranks_of_prefill_context_parallelism_are_gpus() -> None:
    assert vllm(tensorParallelSize=2, prefillContextParallelSize=2, dataParallelSize=2).parallelism().ranks == 8
    assert vllm(tensorParallelSize=2, decodeContextParallelSize=2).parallelism().ranks == 2


def test_throughput_mode_doubles_the_defaults_only() -> None:
    plain, fast = memory(), memory(performanceMode="throughput")
    assert fast.max_num_batched_tokens == 2 * plain.max_num_batched_tokens
    assert fast.max_num_seqs == 2 * plain.max_num_seqs
    assert memory(performanceMode="throughput", maxNumBatchedTokens=4096).max_num_batched_tokens == 4096


def test_nothing_captured_takes_no_graph_memory() -> None:
    assert memory(compilationConfig={"cudagraphMode": "NONE"}).cudagraph_gib == 0
    assert memory(optimizationLevel=0).cudagraph_gib == 0
    assert vllm(optimizationLevel=0).is_eager()
    assert memory(optimizationLevel=2).cudagraph_gib > 0


def test_offloaded_cache_lies_in_shared_memory_once_for_each_engine() -> None:
    assert vllm(kvOffloadingSize=16).shared_memory_bytes() == 16 * GIB
    assert vllm(kvOffloadingSize=16, tensorParallelSize=4).shared_memory_bytes() == 16 * GIB
    assert vllm(kvOffloadingSize=16, dataParallelSize=2).shared_memory_bytes() == 32 * GIB
    assert vllm(kvOffloadingSize=16, kvOffloadingBackend="lmcache").shared_memory_bytes() == 0
    assert vllm().shared_memory_bytes() == 0


@pytest.mark.parametrize(
    ("connector", "extra", "expected"),
    [
        ("OffloadingConnector", {"cpu_bytes_to_use": 5 * GIB}, (10 * GIB, 0)),
        ("OffloadingConnector", {}, (0, 0)),
        ("SimpleCPUOffloadConnector", {}, (0, 16 * GIB)),
        ("SimpleCPUOffloadConnector", {"cpu_bytes_to_use": 4 * GIB}, (0, 8 * GIB)),
        ("SimpleCPUOffloadConnector", {"cpu_bytes_to_use_per_rank": GIB}, (0, 8 * GIB)),
        ("HiSparseConnector", {"host_pool_gib": 3}, (6 * GIB, 0)),
        ("LMCacheConnectorV1", {"lmcache.max_local_cpu_size": 5}, (0, 40 * GIB)),
        ("NixlConnector", {"cpu_bytes_to_use": GIB}, (0, 0)),
        ("OffloadingConnector", {"cpu_bytes_to_use": "many"}, (0, 0)),
    ],
)
def test_connectors_take_host_memory(connector: str, extra: dict, expected: tuple[int, int]) -> None:
    """Four workers in each of two engines."""
    config = KvTransferConfig(kv_connector=connector, kv_connector_extra_config=extra)
    assert host_bytes(config, workers=4, engines=2) == expected
    child: Any = {"kv_connector": connector, "kv_role": "kv_both", "kv_connector_extra_config": extra}
    nested = KvTransferConfig(kv_connector="MultiConnector", kv_connector_extra_config={"connectors": [child]})
    assert host_bytes(nested, workers=4, engines=2) == expected


def test_weights_that_sleep_or_stream_take_host_memory() -> None:
    arch, size = shape(LLAMA), 15 * GIB
    assert vllm().host_bytes(arch, size) == 0
    assert vllm(enableSleepMode=True, dataParallelSize=2).host_bytes(arch, size) == 30 * GIB
    streamed = vllm(loadFormat="runai_streamer", tensorParallelSize=2)
    assert streamed.host_bytes(arch, size) == 2 * size
    assert streamed.host_bytes(arch, 400 * GIB) == 2 * STREAMER_BYTES
    limited = vllm(loadFormat="runai_streamer", modelLoaderExtraConfig={"memory_limit": GIB})
    assert limited.host_bytes(arch, size) == GIB
    assert vllm(cpuOffloadGb=2, tensorParallelSize=2).host_bytes(arch, size) == 4 * GIB


def test_adapters_in_host_memory_are_counted() -> None:
    arch = shape(LLAMA)
    few, many = vllm(enableLora=True), vllm(enableLora=True, maxCpuLoras=10)
    assert many.host_bytes(arch, None) == pytest.approx(10 * few.host_bytes(arch, None), rel=1e-6)
    assert few.host_bytes(None, None) == 0
