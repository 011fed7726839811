"""ENG: options, types and backends that vLLM refuses, and those that it takes."""

from tests.preflight.case import Case
from tests.preflight.cases_memory import SMALL, engine, model, nodes, pool

AWQ = "hugging-quants/Meta-Llama-3.1-8B-Instruct-AWQ-INT4"
FP8 = "RedHatAI/Meta-Llama-3.1-8B-Instruct-FP8"
T4 = {"nodeGroups": nodes("g4dn.xlarge"), "models": model(SMALL)}


def environment(**variables: str) -> dict:
    """The workload with environment variables."""
    return {"workloads": {"chat": {"env": variables}}}


def extra(*words: str) -> dict:
    """The workload with more arguments."""
    return {"workloads": engine(extraArgs=list(words))}


CASES = [
    Case(
        code="ENG002",
        breaks=extra("--nonsense-a", "--nonsense-b"),
        remedy="remove --nonsense-a from extraArgs remove --nonsense-b from extraArgs",
    ),
    Case(
        code="ENG001",
        breaks={"workloads": engine(version="0.31.7")},
        says=("0.31.7", "0.29.0, 0.32.0, 0.33.0"),
        remedy="set version: 0.33.0",
        passes={
            "catalog": {"engineVersions": {"vllm": {"0.31.7": {"like": "0.32.0"}}}},
            "workloads": engine(version="0.31.7"),
        },
    ),
    Case(
        code="ENG002",
        breaks=extra("--swap-space", "4"),
        says=("--swap-space", "0.33.0 has no such option"),
        remedy="remove --swap-space",
        passes=extra("--tool-call-parser=hermes", "--enable-auto-tool-choice"),
    ),
    Case(
        code="ENG002",
        breaks={"workloads": engine(version="0.32.0", extraArgs=["--disable-log-requests"])},
        says=("present in 0.33.0, absent in 0.32.0",),
        passes={"workloads": engine(version="0.33.0", extraArgs=["--disable-log-requests"])},
    ),
    Case(
        code="ENG002",
        breaks=extra("--tool-call-parsr", "hermes"),
        says=("did you mean --tool-call-parser?",),
        passes=extra("--tool_call_parser", "hermes"),
    ),
    Case(
        code="ENG002",
        breaks=extra("--guided-decoding-backend", "xgrammar"),
        says=("--structured-outputs-config",),
        passes=extra("--structured-outputs-config.backend", "xgrammar"),
    ),
    Case(
        code="ENG002",
        breaks=extra("--long-prefill-token-threshold=many"),
        says=("whole number", "many"),
        passes=extra("--long-prefill-token-threshold=2048"),
    ),
    Case(
        code="ENG002",
        breaks=extra("--enable-auto-tool-choice=true"),
        says=("takes no value",),
        passes=extra("--enable-auto-tool-choice", "-O3", "-cc.mode=3"),
    ),
    Case(
        code="ENG002",
        breaks=extra("--enable-log-requests", "yes"),
        says=("'yes' is no option",),
        passes=extra("--allowed-origins", '["*"]'),
    ),
    Case(
        code="ENG002",
        breaks={"workloads": engine(kvCacheDtype="fp4")},
        says=("fp4", "fp8_e4m3"),
        remedy="remove kvCacheDtype",
        passes={"workloads": engine(kvCacheDtype="fp8")},
    ),
    Case(
        code="ENG003",
        breaks={"workloads": engine(quantization="awq")},
        says=("awq", "isn't quantized"),
        remedy="remove quantization",
        passes={"models": model(AWQ), "workloads": engine(quantization="awq_marlin")},
    ),
    Case(
        code="ENG003",
        breaks={"models": model(FP8), "workloads": engine(quantization="fp8")},
        says=("fp8", "compressed-tensors"),
        remedy="remove quantization",
        passes={"workloads": engine(quantization="fp8")},
    ),
    Case(
        code="ENG003",
        breaks={"workloads": engine(quantization="bitsandbytes")},
        says=("bitsandbytes isn't a method of vLLM 0.33.0",),
        remedy="remove quantization",
        passes={"workloads": engine(quantization="fp8_per_block")},
    ),
    Case(
        code="ENG003",
        breaks={
            "models": model("meta-llama/Llama-3.1-8B-Instruct", quantization={"method": "bitsandbytes", "bits": 4})
        },
        says=("bitsandbytes", "doesn't know"),
        passes={"models": model("Qwen/Qwen2.5-7B-Instruct-GPTQ-Int4"), "workloads": engine(quantization="gptq")},
    ),
    Case(
        code="ENG003",
        breaks={"workloads": engine(quantization="fbgemm_fp8")},
        says=("deprecated", "allowDeprecatedQuantization"),
        passes={"workloads": engine(quantization="fbgemm_fp8", allowDeprecatedQuantization=True)},
    ),
    Case(
        code="ENG003",
        breaks={"models": model("openai/gpt-oss-20b"), "workloads": engine(quantization="fp8")},
        passes={"models": model("openai/gpt-oss-20b"), "workloads": engine(quantization="mxfp4")},
    ),
    Case(  # gpt-oss on T4
        code="ENG004",
        breaks={
            "nodeGroups": nodes("g4dn.12xlarge"),
            "models": model("openai/gpt-oss-20b"),
            "workloads": engine(tensorParallelSize=4),
        },
        says=("mxfp4", "8.0", "7.5"),
        passes={
            "nodeGroups": nodes("g5.12xlarge"),
            "models": model("openai/gpt-oss-20b"),
            "workloads": engine(tensorParallelSize=4),
        },
    ),
    Case(  # FP8 weights on Ampere run through weight-only kernels
        code="ENG004",
        breaks={**T4, "workloads": engine(quantization="experts_int8")},
        says=("experts_int8", "8.0"),
        remedy="remove quantization",
        passes={"nodeGroups": nodes("g5.xlarge"), "models": model(FP8)},
    ),
    Case(
        code="ENG005",
        breaks={**T4, "workloads": engine(dtype="bfloat16")},
        says=("bfloat16", "7.5", "8.0"),
        remedy="remove dtype",
        passes={**T4, "workloads": engine(dtype="half")},
    ),
    Case(
        code="ENG005",
        breaks={"models": model("google/gemma-3-12b-it"), "workloads": engine(dtype="float16")},
        says=("float16", "gemma3"),
        remedy="remove dtype",
        passes={"models": model("google/gemma-3-12b-it")},
    ),
    Case(
        code="ENG006",
        breaks=T4,
        says=("T4", "float16"),
        passes={"nodeGroups": nodes("g5.xlarge"), "models": model(SMALL)},
    ),
    Case(
        code="ENG006",
        breaks={"nodeGroups": nodes("g4dn.xlarge"), "models": model("google/gemma-3-1b-it")},
        says=("float32",),
        passes={**T4, "workloads": engine(dtype="half")},
    ),
    Case(
        code="ENG007",
        breaks={"workloads": engine(maxNumSeqs=512, maxNumBatchedTokens=256)},
        says=("512", "256"),
        remedy="set maxNumBatchedTokens: 2048",
        passes={"workloads": engine(maxNumSeqs=256, maxNumBatchedTokens=256)},
    ),
    Case(  # the default is 2048 tokens on an A10G
        code="ENG007",
        breaks={"nodeGroups": nodes("g5.xlarge"), "workloads": engine(maxNumSeqs=4096)},
        says=("4096", "2048"),
        passes={"workloads": engine(maxNumSeqs=4096)},
    ),
    Case(
        code="ENG008",
        breaks={"workloads": engine(enableChunkedPrefill=False, maxNumBatchedTokens=4096)},
        says=("4096", "8192"),
        remedy="set maxNumBatchedTokens: 8192",
        passes={"workloads": engine(enableChunkedPrefill=False)},
    ),
    Case(
        code="ENG009",
        breaks={**T4, "workloads": engine(kvCacheDtype="fp8")},
        says=("fp8", "T4", "7.5"),
        remedy="remove kvCacheDtype",
        passes={"nodeGroups": nodes("g5.xlarge"), "workloads": engine(kvCacheDtype="fp8")},
    ),
    Case(  # FlashInfer has no kernel for head size 96, and Triton none for FP8 below 8.9
        code="ENG009",
        breaks={
            "nodeGroups": nodes("g5.xlarge"),
            "models": model("microsoft/Phi-3-mini-4k-instruct"),
            "workloads": engine(kvCacheDtype="fp8", maxModelLen=4096),
        },
        says=("A10G",),
        passes={
            "nodeGroups": nodes("g6.xlarge"),
            "models": model("microsoft/Phi-3-mini-4k-instruct"),
            "workloads": engine(kvCacheDtype="fp8", maxModelLen=4096),
        },
    ),
    Case(
        code="ENG009",
        breaks={
            "nodeGroups": nodes("g5.xlarge"),
            "workloads": engine(kvCacheDtype="fp8", attentionBackend="TRITON_ATTN"),
        },
        says=("TRITON_ATTN",),
        remedy="remove",
        passes={
            "nodeGroups": nodes("g5.xlarge"),
            "workloads": engine(kvCacheDtype="fp8", attentionBackend="FLASHINFER"),
        },
    ),
    Case(
        code="ENG009",
        breaks={
            "models": model("Qwen/Qwen3-32B-FP8"),
            "workloads": engine(kvCacheDtype="fp8_e5m2", tensorParallelSize=2),
        },
        says=("fp8_e5m2", "FP8 checkpoints"),
        remedy="set kvCacheDtype: fp8",
        passes={"models": model(AWQ), "workloads": engine(kvCacheDtype="fp8_e5m2")},
    ),
    Case(
        code="ENG010",
        breaks={"workloads": engine(attentionBackend="FLASHINFER_VLLM_V1")},
        says=("FLASHINFER_VLLM_V1", "FLASH_ATTN"),
        remedy="attentionBackend",
        passes={"workloads": engine(attentionBackend="flashinfer")},
    ),
    Case(
        code="ENG010",
        breaks={**T4, "workloads": engine(attentionBackend="FLASH_ATTN")},
        says=("8.0", "7.5"),
        remedy="remove attentionBackend",
        passes={**T4, "workloads": engine(attentionBackend="TRITON_ATTN")},
    ),
    Case(
        code="ENG010",
        breaks={"workloads": engine(attentionBackend="FLASHMLA")},
        says=("grouped heads",),
        remedy="remove attentionBackend",
        passes={
            "models": model("deepseek-ai/DeepSeek-V3"),
            "nodeGroups": nodes("p5en.48xlarge"),
            "workloads": engine(attentionBackend="FLASHMLA", tensorParallelSize=8),
        },
    ),
    Case(
        code="ENG011",
        breaks={"nodeGroups": pool("V100-32GB"), "models": model(SMALL)},
        says=("V100-32GB", "7.5", "7.0"),
        passes={
            "nodeGroups": pool("V100-32GB"),
            "models": model(SMALL),
            "workloads": engine(image="registry.example.com/vllm-volta"),
        },
    ),
    Case(
        code="ENG012",
        breaks=environment(VLLM_ATTENTION_BACKEND="FLASHINFER"),
        says=("VLLM_ATTENTION_BACKEND", "attentionBackend"),
        remedy="set attentionBackend: FLASHINFER",
        passes=environment(VLLM_LOGGING_LEVEL="DEBUG"),
    ),
    Case(
        code="ENG012",
        breaks=environment(VLLM_LOGING_LEVEL="DEBUG"),
        says=("VLLM_LOGGING_LEVEL",),
        remedy="remove VLLM_LOGING_LEVEL",
    ),
    Case(
        code="ENG013",
        breaks=environment(CUDA_VISIBLE_DEVICES="0,1,2,3"),
        says=("CUDA_VISIBLE_DEVICES", "0,1,2,3"),
        remedy="remove CUDA_VISIBLE_DEVICES",
        passes=environment(CUDA_DEVICE_ORDER="PCI_BUS_ID"),
    ),
    Case(
        code="ENG014",
        breaks=extra("--port", "9000"),
        says=("--port",),
        remedy="remove --port",
        passes=extra("--root-path=/llm"),
    ),
    Case(
        code="ENG014",
        breaks=extra("-tp", "2"),
        says=("tensorParallelSize",),
        remedy="set tensorParallelSize: 2 instead",
        passes={"workloads": engine(tensorParallelSize=2)},
    ),
    Case(
        code="ENG014",
        breaks=extra("--no-enable-prefix-caching"),
        says=("enablePrefixCaching",),
        remedy="set enablePrefixCaching: false instead",
        passes={"workloads": engine(enablePrefixCaching=False)},
    ),
]
