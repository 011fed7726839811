"""ENG070-ENG076: what TensorRT-LLM refuses, and what it takes."""

from typing import Any

from tests.preflight.case import COMMIT, Case
from tests.preflight.cases_memory import model, nodes, pool

FP8 = "nvidia/Llama-3.1-70B-Instruct-FP8"
NVFP4 = "nvidia/Gemma-4-31B-IT-NVFP4"
AWQ = "hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4"
DRAFT = {"draft": {"id": "meta-llama/Llama-3.2-1B-Instruct", "revision": COMMIT, "volume": "weights"}}
FROM_HUB = {"draft": {"id": "meta-llama/Llama-3.2-1B-Instruct", "revision": COMMIT}}


def serves(**options: Any) -> dict[str, Any]:
    """The workload with TensorRT-LLM."""
    plain = {"name": "tensorrt-llm", "version": "1.2.1", "maxModelLen": None}
    return {"chat": {"engine": {**plain, **options}}}


def speculates(kind: str, **options: Any) -> dict[str, Any]:
    """It with speculative decoding, and a model to draft."""
    return {"workloads": serves(speculativeConfig={"decodingType": kind, **options}), "models": DRAFT}


CASES = [
    Case(
        code="ENG070",
        breaks={"workloads": serves(extraLlmApiOptions={"enable_autotune": False})},
        says=("enable_autotune", "1.2.1 has no field", "did you mean enable_autotuner?"),
        remedy="remove enable_autotune",
        passes={"workloads": serves(extraLlmApiOptions={"enable_autotuner": False})},
    ),
    Case(
        code="ENG070",
        breaks={"workloads": serves(extraLlmApiOptions={"attention_dp_config": {"enable_balanc": True}})},
        says=("attention_dp_config", "did you mean enable_balance?"),
        remedy="remove enable_balanc",
        passes={"workloads": serves(extraLlmApiOptions={"attention_dp_config": {"enable_balance": True}})},
    ),
    Case(
        code="ENG070",
        breaks={"workloads": serves(extraLlmApiOptions={"max_batch_size": 64})},
        says=("has a key of its own, maxBatchSize",),
        passes={"workloads": serves(maxBatchSize=64)},
    ),
    Case(
        code="ENG070",
        breaks={"workloads": serves(extraLlmApiOptions={"backend": "tensorrt"})},
        says=("backend is decided by the engine",),
        remedy="remove backend",
        passes={"workloads": serves()},
    ),
    Case(
        code="ENG071",
        breaks={"workloads": serves(tensorParallelSize=4, moeExpertParallelSize=3)},
        says=("moeExpertParallelSize 3", "tensorParallelSize 4"),
        passes={"workloads": serves(tensorParallelSize=4, moeExpertParallelSize=2)},
    ),
    Case(
        code="ENG072",
        breaks=speculates("Eagle", speculativeModel="draft"),
        says=("decodingType Eagle needs maxDraftLen",),
        passes=speculates("Eagle", speculativeModel="draft", maxDraftLen=3),
    ),
    Case(
        code="ENG072",
        breaks=speculates("NGram", maxDraftLen=4),
        says=("needs maxMatchingNgramSize",),
        passes=speculates("NGram", maxDraftLen=4, maxMatchingNgramSize=2),
    ),
    Case(
        code="ENG072",
        breaks=speculates("MTP", maxMatchingNgramSize=2),
        says=("belongs to decodingType NGram",),
        remedy="remove maxMatchingNgramSize",
        passes=speculates("MTP", numNextnPredictLayers=3),
    ),
    Case(
        code="ENG073",
        breaks={"workloads": serves(), "models": model(AWQ)},
        says=("quantized with awq", "ModelOpt"),
        passes={"workloads": serves(tensorParallelSize=2), "models": model(FP8)},
    ),
    Case(
        code="ENG073",
        breaks={
            "workloads": serves(tensorParallelSize=8),
            "nodeGroups": nodes("g5.48xlarge"),
            "models": model(FP8),
        },
        says=("FP8", "8.9", "A10G", "8.6"),
        passes={
            "workloads": serves(tensorParallelSize=8),
            "nodeGroups": nodes("g6.48xlarge"),
            "models": model(FP8),
        },
    ),
    Case(
        code="ENG073",
        breaks={"workloads": serves(), "models": model(NVFP4)},
        says=("NVFP4", "10.0", "H100"),
        passes={"workloads": serves(), "nodeGroups": pool("B200"), "models": model(NVFP4)},
    ),
    Case(  # MXFP4 runs on Hopper through Triton kernels
        code="ENG073",
        breaks={"workloads": serves(), "models": model("RedHatAI/Meta-Llama-3.1-8B-Instruct-FP8")},
        says=("compressed-tensors",),
        passes={"workloads": serves(), "models": model("openai/gpt-oss-20b")},
    ),
    Case(
        code="ENG074",
        breaks={"workloads": serves(cudaGraphConfig={"batchSizes": [1, 2, 4], "maxBatchSize": 64})},
        says=("[1, 2, 4]", "64"),
        remedy="remove maxBatchSize",
        passes={"workloads": serves(cudaGraphConfig={"batchSizes": [1, 2, 4], "enablePadding": True})},
    ),
    Case(
        code="ENG075",
        breaks={"workloads": serves(maxSeqLen=32768)},
        says=("maxNumTokens 8,192, the default", "maxSeqLen 32,768"),
        remedy="set enableChunkedPrefill: true",
        passes={"workloads": serves(maxSeqLen=32768, maxNumTokens=32768)},
    ),
    Case(
        code="ENG076",
        breaks={
            "workloads": serves(
                speculativeConfig={"decodingType": "DraftTarget", "maxDraftLen": 4, "speculativeModel": "draft"}
            ),
            "models": {**FROM_HUB, "llama": {"volume": None}},
        },
        says=("downloads draft without a revision",),
        passes={
            "workloads": serves(
                speculativeConfig={"decodingType": "DraftTarget", "maxDraftLen": 4, "speculativeModel": "draft"}
            ),
            "models": DRAFT,
        },
    ),
    Case(
        code="PAR001",
        breaks={"workloads": serves(tensorParallelSize=8), "models": model("Qwen/Qwen2.5-7B-Instruct")},
        says=("28 attention heads", "tensorParallelSize 8"),
        passes={
            "workloads": serves(tensorParallelSize=8, enableAttentionDp=True),
            "models": model("Qwen/Qwen2.5-7B-Instruct"),
        },
    ),
    Case(
        code="ENG014",
        breaks={"workloads": serves(extraArgs=["--tp_size=2"])},
        says=("--tp_size sets the option of the key tensorParallelSize",),
        passes={"workloads": serves(tensorParallelSize=2)},
    ),
    Case(
        code="ENG002",
        breaks={"workloads": serves(extraArgs=["--max-batch-size=8"])},
        says=("did you mean --max_batch_size?",),
        passes={"workloads": serves(maxBatchSize=8)},
    ),
]
