"""PAR: sizes that can't be split, and those that can although they look odd."""

from tests.preflight.case import Case
from tests.preflight.cases_memory import engine, model, nodes, pool

PHI4 = {"models": model("microsoft/phi-4")}

CASES = [
    Case(
        code="PAR001",
        breaks={"models": model("Qwen/Qwen2.5-7B-Instruct"), "workloads": engine(tensorParallelSize=8)},
        says=("28 attention heads", "8"),
        remedy="set tensorParallelSize: 4",
        passes={"models": model("Qwen/Qwen2.5-7B-Instruct"), "workloads": engine(tensorParallelSize=4)},
    ),
    Case(
        code="PAR001",
        breaks={"workloads": engine(tensorParallelSize=3)},
        says=("32 attention heads", "3"),
        remedy="set tensorParallelSize: 4",
    ),
    Case(  # heads alone would pass
        code="PAR002",
        breaks={**PHI4, "workloads": engine(tensorParallelSize=4)},
        says=("10 key-value heads", "4"),
        remedy="set tensorParallelSize: 2",
        passes={**PHI4, "workloads": engine(tensorParallelSize=2)},
    ),
    Case(  # copied KV heads run
        code="PAR002",
        breaks={**PHI4, "workloads": engine(tensorParallelSize=8)},
        passes={"models": model("Qwen/Qwen3-30B-A3B"), "workloads": engine(tensorParallelSize=8)},
    ),
    Case(
        code="PAR003",
        breaks={"workloads": engine(tensorParallelSize=16)},
        says=("16 GPUs", "8"),
        remedy="set tensorParallelSize: 8",
    ),
    Case(
        code="PAR003",
        breaks={"nodeGroups": nodes("g5.12xlarge"), "workloads": engine(tensorParallelSize=2, dataParallelSize=4)},
        says=("data 4", "has 4 GPUs"),
        remedy="set dataParallelSize: 2",
        passes={"nodeGroups": nodes("g5.12xlarge"), "workloads": engine(tensorParallelSize=2, dataParallelSize=2)},
    ),
    Case(
        code="PAR003",
        breaks={"workloads": engine(tensorParallelSize=2, extraArgs=["-pcp", "2"])},
        says=("2 ranks",),
        remedy="remove -pcp",
        passes={"workloads": engine(tensorParallelSize=2)},
    ),
    Case(
        code="PAR004",
        breaks={"nodeGroups": pool("H100-80GB", gpusPerNode=64), "workloads": engine(pipelineParallelSize=33)},
        says=("32 layers", "33"),
        remedy="set pipelineParallelSize: 32",
        passes={"workloads": engine(pipelineParallelSize=5)},
    ),
    Case(
        code="PAR004",
        breaks={
            "workloads": {"chat": {"env": {"VLLM_PP_LAYER_PARTITION": "20,10"}, "engine": {"pipelineParallelSize": 2}}}
        },
        says=("20,10", "sum 32"),
        remedy="remove it",
        passes={
            "workloads": {"chat": {"env": {"VLLM_PP_LAYER_PARTITION": "20,12"}, "engine": {"pipelineParallelSize": 2}}}
        },
    ),
    Case(
        code="PAR005",
        breaks={"workloads": engine(tensorParallelSize=2, enableExpertParallel=True)},
        says=("no experts",),
        remedy="remove enableExpertParallel",
        passes={
            "models": model("Qwen/Qwen3-30B-A3B"),
            "workloads": engine(tensorParallelSize=2, enableExpertParallel=True),
        },
    ),
    Case(
        code="PAR006",
        breaks={
            "models": model("google/gemma-3-1b-it"),
            "catalog": {"models": {"Gemma-3-1b-it": {"intermediateSize": 6910}}},
            "workloads": engine(tensorParallelSize=4),
        },
        says=("intermediate_size 6910", "4 ranks"),
        remedy="set tensorParallelSize: 2",
        passes={"models": model("google/gemma-3-1b-it"), "workloads": engine(tensorParallelSize=4)},
    ),
    Case(  # experts are split over tensor x data ranks
        code="PAR006",
        breaks={
            "models": model("google/gemma-4-26B-A4B"),
            "nodeGroups": pool("H100-80GB", gpusPerNode=16),
            "workloads": engine(dataParallelSize=3),
        },
        says=("moe_intermediate_size 704", "3 ranks"),
        remedy="set enableExpertParallel: true",
        passes={
            "models": model("google/gemma-4-26B-A4B"),
            "nodeGroups": pool("H100-80GB", gpusPerNode=16),
            "workloads": engine(dataParallelSize=3, enableExpertParallel=True),
        },
    ),
    Case(  # https://github.com/QwenLM/Qwen3-VL/issues/231: 29568 / 128 = 231 groups
        code="PAR007",
        breaks={
            "models": model("Qwen/Qwen2.5-72B-Instruct", quantization={"method": "awq", "bits": 4, "groupSize": 128}),
            "workloads": engine(tensorParallelSize=4),
        },
        says=("29568", "7392", "128"),
        passes={"models": model("Qwen/Qwen2.5-72B-Instruct-AWQ"), "workloads": engine(tensorParallelSize=8)},
    ),
    Case(  # https://github.com/intel/auto-round/issues/643
        code="PAR007",
        breaks={
            "models": model("Qwen/Qwen2.5-0.5B-Instruct", quantization={"method": "gptq", "bits": 4, "groupSize": 128}),
            "workloads": engine(tensorParallelSize=2),
        },
        says=("attention output 896", "448"),
        remedy="set tensorParallelSize: 1",
        passes={
            "models": model("Qwen/Qwen2.5-0.5B-Instruct", quantization={"method": "gptq", "bits": 4, "groupSize": 32}),
            "workloads": engine(tensorParallelSize=2),
        },
    ),
    Case(  # FP8 blocks of the experts are refined, those of dense layers aren't
        code="PAR007",
        breaks={
            "models": model("Qwen/Qwen3-32B-FP8"),
            "workloads": engine(tensorParallelSize=16),
            "nodeGroups": pool("H200", gpusPerNode=16),
        },
        says=("25600", "1600", "block of 128"),
        remedy="set tensorParallelSize: 8",
        passes={"models": model("Qwen/Qwen3-30B-A3B-FP8"), "workloads": engine(tensorParallelSize=4)},
    ),
    Case(  # https://github.com/vllm-project/vllm/issues/17569; since 0.29 the blocks of experts are refined
        code="PAR007",
        breaks={
            "models": model("Qwen/Qwen3-30B-A3B-FP8"),
            "catalog": {"engineVersions": {"vllm": {"0.8.5": {"like": "0.29.0"}}}},
            "workloads": engine(version="0.8.5", tensorParallelSize=8),
        },
        says=("moe_intermediate_size 768", "96", "block of 128"),
        remedy="set enableExpertParallel: true",
        passes={"models": model("Qwen/Qwen3-30B-A3B-FP8"), "workloads": engine(tensorParallelSize=8)},
    ),
    Case(  # weight-only kernels below compute capability 8.9 can't
        code="PAR007",
        breaks={
            "models": model("Qwen/Qwen3-30B-A3B-FP8"),
            "nodeGroups": pool("A100-80GB"),
            "workloads": engine(tensorParallelSize=8),
        },
        says=("96", "block of 128"),
        passes={
            "models": model("Qwen/Qwen3-30B-A3B-FP8"),
            "nodeGroups": pool("A100-80GB"),
            "workloads": engine(tensorParallelSize=2),
        },
    ),
    Case(
        code="PAR008",
        breaks={
            "nodeGroups": nodes("g6e.12xlarge", sharing={"timeSlicing": {"replicas": 2}}),
            "workloads": engine(tensorParallelSize=2, gpuMemoryUtilization=0.45),
        },
        says=("2 ranks", "time-slicing"),
        remedy="set tensorParallelSize: 1",
        passes={
            "nodeGroups": nodes("g6e.12xlarge", sharing={"timeSlicing": {"replicas": 2}}),
            "workloads": engine(gpuMemoryUtilization=0.45),
        },
    ),
    Case(  # one slice of the whole GPU works like a GPU
        code="PAR008",
        breaks={
            "nodeGroups": pool("H100-80GB", sharing={"mig": {"profile": "3g.40gb", "slices": 2}}),
            "workloads": engine(tensorParallelSize=2),
        },
        says=("MIG slices",),
        passes={
            "nodeGroups": pool("H100-80GB", sharing={"mig": {"profile": "7g.80gb", "slices": 1}}),
            "workloads": engine(tensorParallelSize=2),
        },
    ),
    Case(
        code="PAR009",
        breaks={**PHI4, "workloads": engine(tensorParallelSize=5)},
        says=("100,352", "5"),
        remedy="set tensorParallelSize:",
        passes={"models": model("ibm-granite/granite-3.3-8b-instruct"), "workloads": engine(tensorParallelSize=8)},
    ),
    Case(
        code="PAR010",
        breaks={"nodeGroups": nodes("g6e.12xlarge"), "workloads": engine(tensorParallelSize=4)},
        says=("L40S", "PCIe"),
        passes={"workloads": engine(tensorParallelSize=4)},
    ),
    Case(
        code="PAR011",
        breaks={"models": model("Qwen/Qwen3-30B-A3B"), "workloads": engine(tensorParallelSize=8)},
        says=("4 key-value heads", "2 times"),
        passes={
            "models": model("deepseek-ai/DeepSeek-V3"),
            "nodeGroups": nodes("p5en.48xlarge"),
            "workloads": engine(tensorParallelSize=8),
        },
    ),
]
