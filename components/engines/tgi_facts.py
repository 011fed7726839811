"""What Text Generation Inference 3.3 does with a quantization method, and which options the pod decides. Pure.

Read on 2026-11-22 in tag v3.3.7 of https://github.com/huggingface/text-generation-inference; paths are below
`server/text_generation_server` unless they say otherwise.
"""

from collections.abc import Mapping

from catalog.architecture import Architecture

AT_LOAD: Mapping[str, int] = {"eetq": 8, "bitsandbytes": 8, "bitsandbytes-nf4": 4, "bitsandbytes-fp4": 4, "fp8": 8}
"""Bits of the methods that TGI applies to plain weights (docs/source/conceptual/quantization.md)."""

CHECKPOINTS: Mapping[str, frozenset[str]] = {
    "awq": frozenset({"awq"}),
    "gptq": frozenset({"gptq", "awq"}),
    "exl2": frozenset({"exl2"}),
    "marlin": frozenset({"marlin"}),
    "compressed-tensors": frozenset({"compressed-tensors"}),
    "fp8": frozenset({"fp8", "fbgemm-fp8", "compressed-tensors"}),
}
"""Checkpoint methods that each value of --quantize reads; AWQ weights are converted for GPTQ kernels (layers/gptq/__init__.py)."""

READ_FROM_CHECKPOINT = frozenset({"awq", "gptq", "exl2", "fp8", "fbgemm-fp8", "compressed-tensors"})
"""Checkpoint methods that TGI finds by itself (models/__init__.py, get_model)."""

LEAST_CAPABILITY: Mapping[str, tuple[tuple[int, int], str]] = {
    "awq": ((8, 0), "its kernels are built for 8.0, 8.6 and 9.0 (Dockerfile, TORCH_CUDA_ARCH_LIST)"),
    "exl2": ((8, 0), "its kernels are built for 8.0 and 9.0 (server/Makefile-exllamav2)"),
    "marlin": ((8, 0), "the launcher says so (layers/marlin/util.py)"),
    "fp8": ((8, 0), "Marlin kernels start there, FP8 units at 8.9 (layers/fp8.py, get_fp8_linear)"),
}
"""Lowest compute capability of a method, and why; methods that aren't here have no limit that a source names.
GPTQ falls back to Triton kernels."""

DECIDED: Mapping[str, str] = {
    "--model-id": "the model of the workload",
    "--revision": "the revision in the models section",
    "--hostname": "the pod, whose probes need every address",
    "--port": "the pod, whose probes and Service use it",
    "--graceful-termination-timeout": "drain.shutdownTimeoutSeconds",
    "--huggingface-hub-cache": "the pod, where only its cache folder is writable",
    "--weights-cache-override": "the model's volume",
    "--master-addr": "the pod, in which all shards run",
    "--shard-uds-path": "the pod, where only some folders are writable",
    "--max-input-length": "the key maxInputTokens, its newer name: with both the launcher exits",
    "--ngrok": "allowFrom: the official build has no ngrok and panics (router/src/server.rs)",
}
"""Options that follow from the rest of the stack, and from what."""


def kv_bytes(architecture: Architecture, tokens: int, shards: int, fp8: bool) -> int:
    """Bytes of KV cache of `tokens` tokens on one shard; every layer keeps all of them (models/flash_causal_lm.py, warmup).

    0 for shapes that aren't known to be stored so: latent or linear attention, sliding layers of another size.
    """
    shape = architecture
    if shape.mla or shape.linear_attention or shape.sliding_head_dim or shape.sliding_key_value_heads:
        return 0
    heads = max(1, shape.num_key_value_heads // shards)
    return 2 * shape.kv_layers * heads * shape.head_dim * (1 if fp8 else 2) * tokens
