"""Text Generation Inference: ENG050-ENG060, and what the rules for every engine say of it."""

from typing import Any

from tests.preflight.case import Case

AWQ = {"llama": {"id": "hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4"}}
LARGE = {"llama": {"id": "meta-llama/Llama-3.3-70B-Instruct"}}
T4 = {"gpu": {"instanceTypes": ["g4dn.xlarge"]}}
SMALL = {"llama": {"id": "meta-llama/Llama-3.2-1B-Instruct"}}
IMAGE = "registry.example.com/text-generation-inference"


def tgi(workload: dict[str, Any] | None = None, /, **options: Any) -> dict[str, Any]:
    """The workload on TGI, in an image that runs without root."""
    engine = {"name": "tgi", "version": "3.3.7", "image": IMAGE, "maxModelLen": None, **options}
    return {"workloads": {"chat": {"engine": engine, **(workload or {})}}}


CASES = [
    Case(
        code="ENG050", breaks=tgi(image=None), says=("user 1000", "/root", "docs/examples/tgi/Dockerfile"), passes=tgi()
    ),
    Case(
        code="ENG050",
        breaks=tgi(image="ghcr.io/huggingface/text-generation-inference:3.3.5"),
        says=("3.3.5",),
        passes=tgi(),
    ),
    Case(code="ENG050", breaks=tgi(image=None, version="latest"), passes=tgi(image=None, version="3.0.1")),
    Case(code="ENG051", breaks=tgi(), says=("maintenance", "llm-serving migrate-engine test chat")),
    Case(
        code="ENG052",
        breaks=tgi(maxInputTokens=8192, maxTotalTokens=8192),
        says=("maxInputTokens 8,192", "maxTotalTokens 8,192"),
        remedy="set maxInputTokens: 4096",
        passes=tgi(maxInputTokens=8191, maxTotalTokens=8192),
    ),
    Case(
        code="ENG052",
        breaks=tgi(maxTotalTokens=8192, maxBatchTotalTokens=8191),
        says=("maxTotalTokens 8,192", "at most maxBatchTotalTokens 8,191"),
        remedy="remove maxBatchTotalTokens",
        passes=tgi(maxTotalTokens=8192, maxBatchTotalTokens=8192),
    ),
    Case(  # speculation switches chunked prefill off
        code="ENG052",
        breaks=tgi(maxInputTokens=8192, maxBatchPrefillTokens=4096, speculate=2),
        says=("maxBatchPrefillTokens 4,096", "8,192"),
        remedy="set maxBatchPrefillTokens: 8192",
        passes=tgi(maxInputTokens=8192, maxBatchPrefillTokens=4096),
    ),
    Case(
        code="ENG052",
        breaks=tgi(maxInputTokens=8192, maxBatchPrefillTokens=4096, prefillChunking=False),
        says=("prompts aren't split",),
        remedy="set maxBatchPrefillTokens: 8192",
        passes=tgi(maxInputTokens=8192, maxBatchPrefillTokens=8192, prefillChunking=False),
    ),
    Case(
        code="ENG052",
        breaks=tgi(maxInputTokens=8192, maxBatchPrefillTokens=4096, attention="paged"),
        passes=tgi(maxInputTokens=8192, maxBatchPrefillTokens=4096, speculate=0),
    ),
    Case(
        code="ENG052",
        breaks=tgi(sharded=True),
        says=("numShard 1",),
        remedy="remove sharded",
        passes=tgi(sharded=True, numShard=2),
    ),
    Case(
        code="ENG053",
        breaks=tgi(maxBatchSize=64),
        says=("maxBatchSize 64", "Gaudi"),
        remedy="remove maxBatchSize",
        passes=tgi(),
    ),
    Case(
        code="ENG053",
        breaks=tgi(maxBatchTotalTokens=16000),
        says=("flash attention",),
        remedy="remove maxBatchTotalTokens",
        passes=tgi(maxBatchPrefillTokens=16000),
    ),
    Case(
        code="ENG054",
        breaks=tgi({"env": {"MAX_CONCURRENT_REQUESTS": "128"}}),
        says=("maxConcurrentRequests",),
        remedy="set maxConcurrentRequests: 128",
        passes=tgi({"env": {"LOG_LEVEL": "debug"}}, maxConcurrentRequests=128),
    ),
    Case(
        code="ENG054",
        breaks=tgi({"env": {"PORT": "80"}}),
        says=("probes",),
        remedy="remove PORT",
        passes=tgi({"env": {"TGI_WIGGLE_ROOM": "0.95"}}),
    ),
    Case(  # the page quantizes a checkpoint that isn't AWQ
        code="ENG055",
        breaks=tgi(quantize="awq"),
        says=("quantize awq needs a checkpoint quantized so",),
        remedy="remove quantize",
        passes={**tgi(quantize="awq"), "models": AWQ},
    ),
    Case(
        code="ENG055",
        breaks={**tgi(quantize="eetq"), "models": AWQ},
        says=("contradicts", "awq"),
        passes=tgi(quantize="eetq"),
    ),
    Case(
        code="ENG055",
        breaks={**tgi(), "models": {"llama": {"id": "openai/gpt-oss-20b"}}},
        says=("mxfp4", "doesn't find"),
        passes={**tgi(), "models": AWQ},
    ),
    Case(
        code="ENG055",
        breaks={**tgi(quantize="marlin"), "models": AWQ},
        says=("contradicts",),
        passes={**tgi(quantize="gptq"), "models": AWQ},
    ),
    Case(
        code="ENG056",
        breaks=tgi(quantize="exl2", numShard=2),
        says=("exl2", "numShard is 2"),
        passes=tgi(quantize="exl2"),
    ),
    Case(
        code="ENG056",
        breaks=tgi(quantize="fp8", dtype="bfloat16"),
        says=("dtype bfloat16", "fp8"),
        remedy="remove dtype",
        passes=tgi(quantize="bitsandbytes-nf4", dtype="bfloat16"),
    ),
    Case(  # the checkpoint's own method counts as well
        code="ENG056",
        breaks={**tgi(dtype="float16"), "models": AWQ},
        says=("awq",),
        remedy="remove dtype",
        passes=tgi(dtype="float16"),
    ),
    Case(
        code="ENG057",
        breaks={**tgi(), "models": AWQ, "nodeGroups": T4},
        says=("awq needs compute capability 8.0", "T4 has 7.5"),
        remedy="set quantize: gptq",
        passes={**tgi(quantize="gptq"), "models": AWQ, "nodeGroups": T4},
    ),
    Case(
        code="ENG057",
        breaks={**tgi(quantize="fp8"), "models": SMALL, "nodeGroups": T4},
        says=("fp8",),
        passes={**tgi(quantize="eetq"), "models": SMALL, "nodeGroups": T4},
    ),
    Case(
        code="ENG057",
        breaks={**tgi(dtype="bfloat16"), "models": SMALL, "nodeGroups": T4},
        says=("bfloat16", "7.5"),
        remedy="set dtype: float16",
        passes={**tgi(dtype="float16"), "models": SMALL, "nodeGroups": T4},
    ),
    Case(
        code="ENG058",
        breaks=tgi(kvCacheDtype="fp8_e5m2", attention="flashdecoding"),
        says=("kvCacheDtype", "flashdecoding"),
        remedy="remove kvCacheDtype",
        passes=tgi(kvCacheDtype="fp8_e5m2"),
    ),
    Case(  # heads of 96 aren't for flashinfer
        code="ENG058",
        breaks={**tgi(kvCacheDtype="fp8_e5m2"), "models": {"llama": {"id": "microsoft/Phi-3-mini-4k-instruct"}}},
        says=("flashdecoding",),
        passes={
            **tgi(kvCacheDtype="fp8_e5m2", attention="paged"),
            "models": {"llama": {"id": "microsoft/Phi-3-mini-4k-instruct"}},
        },
    ),
    Case(
        code="ENG058",
        breaks=tgi(attention="paged", prefixCaching=True),
        says=("paged",),
        remedy="remove prefixCaching",
        passes=tgi(attention="paged", prefixCaching=False),
    ),
    Case(
        code="ENG058",
        breaks={**tgi(attention="flashdecoding"), "models": SMALL, "nodeGroups": T4},
        says=("7.5",),
        remedy="remove attention",
        passes={**tgi(), "models": SMALL, "nodeGroups": T4},
    ),
    Case(
        code="ENG059",
        breaks=tgi(maxTotalTokens=200000),
        says=("200,000", "131,072"),
        remedy="set maxTotalTokens: 131072",
        passes=tgi(maxTotalTokens=200000, ropeFactor=2.0),
    ),
    Case(
        code="ENG060",
        breaks=tgi(extraArgs=["--otlp-service-name=my chat"]),
        says=("my chat",),
        passes=tgi(otlpServiceName="my-chat"),
    ),
    Case(  # 131 GiB on one GPU of 80
        code="MEM002",
        breaks={**tgi(), "models": LARGE},
        says=("131.4 GiB of weights", "tgi may use"),
        remedy="set numShard: 2",
        passes={**tgi(numShard=2), "models": LARGE},
    ),
    Case(
        code="MEM002",
        breaks=tgi(cudaMemoryFraction=0.1),
        says=("tgi may use 7.9",),
        passes=tgi(cudaMemoryFraction=0.5),
    ),
    Case(
        code="MEM003",
        breaks={**tgi(maxTotalTokens=131072), "nodeGroups": {"gpu": {"instanceTypes": ["g5.xlarge"]}}},
        says=("16.00 GiB",),
        passes={**tgi(maxTotalTokens=16384), "nodeGroups": {"gpu": {"instanceTypes": ["g5.xlarge"]}}},
    ),
    Case(  # TGI takes the whole GPU unless it is told otherwise
        code="MEM007",
        breaks={
            **tgi(),
            "models": SMALL,
            "nodeGroups": {"gpu": {"instanceTypes": ["g5.xlarge"], "sharing": {"timeSlicing": {"replicas": 2}}}},
        },
        says=("2.00 of its memory",),
        remedy="set cudaMemoryFraction: 0.50",
        passes={
            **tgi(cudaMemoryFraction=0.5),
            "models": SMALL,
            "nodeGroups": {"gpu": {"instanceTypes": ["g5.xlarge"], "sharing": {"timeSlicing": {"replicas": 2}}}},
        },
    ),
    Case(code="MEM006", breaks=tgi(), says=("tgi 3.3.7", "at least 15.0 of")),
    Case(code="PAR001", breaks=tgi(numShard=3), says=("numShard 3",), remedy="set numShard: 4", passes=tgi(numShard=4)),
    Case(  # 4 KV heads on 8 ranks: vLLM copies them, TGI doesn't
        code="PAR002",
        breaks={**tgi(numShard=8), "models": {"llama": {"id": "Qwen/Qwen3-30B-A3B"}}},
        says=("numShard 8", "copies none"),
        remedy="set numShard: 4",
        passes={**tgi(numShard=4), "models": {"llama": {"id": "Qwen/Qwen3-30B-A3B"}}},
    ),
    Case(code="PAR003", breaks=tgi(numShard=16), says=("16 GPUs",), remedy="set numShard: 8", passes=tgi(numShard=8)),
    Case(
        code="ENG002",
        breaks=tgi(extraArgs=["--max_total_tokens=8192"]),
        says=("--max_total_tokens", "did you mean --max-total-tokens"),
        passes=tgi(maxTotalTokens=8192),
    ),
    Case(code="ENG002", breaks=tgi(extraArgs=["--swap-space=4"]), says=("tgi 3.3.7 has no such option",), passes=tgi()),
    Case(
        code="ENG014",
        breaks=tgi(extraArgs=["--max-input-length=4096"]),
        says=("maxInputTokens",),
        remedy="remove --max-input-length",
        passes=tgi(maxInputTokens=4096),
    ),
    Case(
        code="ENG014",
        breaks=tgi(extraArgs=["--max-total-tokens=8192"]),
        remedy="set maxTotalTokens: 8192",
        passes=tgi(extraArgs=["--watermark-gamma=0.5"]),
    ),
]
