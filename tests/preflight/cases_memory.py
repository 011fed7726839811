"""MEM: what doesn't fit in GPU memory, and what does although it looks tight."""

from typing import Any

from tests.preflight.case import Case


def nodes(instance_type: str, **more: Any) -> dict[str, Any]:
    """The node group with another instance type."""
    return {"gpu": {"instanceTypes": [instance_type], **more}}


def model(hf_id: str, **more: Any) -> dict[str, Any]:
    """The model with another repository."""
    return {"llama": {"id": hf_id, **more}}


def engine(**options: Any) -> dict[str, Any]:
    """The workload with other engine options."""
    return {"chat": {"engine": options}}


def pool(gpu: str, **more: Any) -> dict[str, Any]:
    """The node group as existing nodes with eight GPUs each."""
    clear = dict.fromkeys(("instanceTypes", "subnetIds", "minSize", "maxSize"))
    own = {"provisioner": "existing", "gpu": gpu, "gpusPerNode": 8, "nodes": 2, "nodeSelector": {"pool": "gpu"}}
    return {"gpu": {**clear, **own, **more}}


SMALL = "meta-llama/Llama-3.2-1B-Instruct"
LARGE = "meta-llama/Llama-3.3-70B-Instruct"
SLICED = {"timeSlicing": {"replicas": 4}}

CASES = [
    Case(
        code="MEM001",
        breaks={"models": model("nobody/unheard-of-7b")},
        says=("nobody/unheard-of-7b",),
        passes={"models": model("nobody/unheard-of-7b", architecture="Llama-3.1-8B-Instruct")},
    ),
    Case(
        code="MEM002",
        breaks={"models": model(LARGE)},
        says=("131", "H100-80GB"),
        remedy="set tensorParallelSize: 2",
        passes={"models": model(LARGE), "workloads": engine(tensorParallelSize=4)},
    ),
    Case(  # https://github.com/vllm-project/vllm/issues/2248 style: 8B in bfloat16 on a 16 GB card
        code="MEM002",
        breaks={"nodeGroups": nodes("g4dn.xlarge")},
        says=("T4", "14.6"),
        passes={"nodeGroups": nodes("g4dn.xlarge"), "models": model(SMALL)},
    ),
    Case(
        code="MEM003",
        breaks={"nodeGroups": nodes("g5.xlarge"), "workloads": engine(maxModelLen=131072)},
        says=("131,072 tokens", "GiB"),
        remedy="set maxModelLen:",
        passes={"nodeGroups": nodes("g5.xlarge"), "workloads": engine(maxModelLen=8192)},
    ),
    Case(
        code="MEM003",
        breaks={"nodeGroups": nodes("g5.xlarge"), "workloads": engine(maxModelLen=131072)},
        passes={"nodeGroups": nodes("g5.xlarge"), "workloads": engine(maxModelLen="auto")},
    ),
    Case(  # measured: P052 of the public table of memory measurements
        code="MEM004",
        breaks={
            "models": model("openai/gpt-oss-20b"),
            "catalog": {"engineVersions": {"vllm": {"0.19.0": {"like": "0.29.0"}}}},
            "workloads": engine(version="0.19.0", gpuMemoryUtilization=0.95, maxNumSeqs=1024),
        },
        says=("0.95", "1024"),
        remedy="set gpuMemoryUtilization",
        passes={
            "models": model("openai/gpt-oss-20b"),
            "catalog": {"engineVersions": {"vllm": {"0.19.0": {"like": "0.29.0"}}}},
            "workloads": engine(version="0.19.0", gpuMemoryUtilization=0.9, maxNumSeqs=1024),
        },
    ),
    Case(
        code="MEM005",
        breaks={"nodeGroups": nodes("g5.xlarge"), "workloads": engine(maxModelLen=20480, gpuMemoryUtilization=0.95)},
        says=("20,480",),
        passes={"nodeGroups": nodes("g5.xlarge"), "workloads": engine(maxModelLen=8192, gpuMemoryUtilization=0.95)},
    ),
    Case(
        code="MEM006",
        breaks={
            "nodeGroups": nodes("g4dn.xlarge"),
            "models": model("Qwen/Qwen2.5-3B-Instruct"),
            "workloads": engine(maxModelLen=32768, gpuMemoryUtilization=0.61),
        },
        says=("can't be decided", "T4"),
        passes={"nodeGroups": nodes("g4dn.xlarge"), "models": model(SMALL), "workloads": engine(maxModelLen=4096)},
    ),
    Case(
        code="MEM006",
        breaks={"models": model(SMALL), "workloads": engine(kvCacheDtype="turboquant_4bit_nc")},
        says=("there is no estimate",),
    ),
    Case(
        code="MEM007",
        breaks={
            "nodeGroups": nodes("g6e.xlarge", sharing=SLICED),
            "models": model(SMALL),
            "workloads": {"chat": {"replicas": 4, "engine": {"gpuMemoryUtilization": 0.4}}},
        },
        says=("4 pods", "1.60"),
        remedy="set gpuMemoryUtilization: 0.25",
        passes={
            "nodeGroups": nodes("g6e.xlarge", sharing=SLICED),
            "models": model(SMALL),
            "workloads": {"chat": {"replicas": 4, "engine": {"gpuMemoryUtilization": 0.25}}},
        },
    ),
    Case(  # two workloads on the same shared GPUs: neither is above 1/2 by much, together they are above 1
        code="MEM007",
        breaks={
            "nodeGroups": nodes("g6e.xlarge", sharing={"timeSlicing": {"replicas": 2}}),
            "models": model(SMALL),
            "workloads": {
                "chat": {"replicas": 1, "engine": {"gpuMemoryUtilization": 0.6}},
                "more": {
                    "kind": "Deployment",
                    "model": "llama",
                    "nodeGroup": "gpu",
                    "engine": {"name": "vllm", "version": "0.33.0", "maxModelLen": 4096, "gpuMemoryUtilization": 0.5},
                },
            },
        },
        says=("1.10",),
        passes={
            "nodeGroups": nodes("g6e.xlarge", sharing={"timeSlicing": {"replicas": 2}}),
            "models": model(SMALL),
            "workloads": {"chat": {"replicas": 1, "engine": {"gpuMemoryUtilization": 0.92}}},
        },
    ),
    Case(
        code="MEM008",
        breaks={
            "nodeGroups": nodes("g6e.xlarge", sharing={"mps": {"replicas": 2}}),
            "models": model(SMALL),
            "workloads": {"chat": {"replicas": 1}},
        },
        says=("0.92", "1/2"),
        remedy="set gpuMemoryUtilization: 0.50",
        passes={
            "nodeGroups": nodes("g6e.xlarge", sharing={"mps": {"replicas": 2}}),
            "models": model(SMALL),
            "workloads": engine(gpuMemoryUtilization=0.5),
        },
    ),
    Case(
        code="MEM009",
        breaks={
            "nodeGroups": pool("H100-80GB", sharing={"mig": {"profile": "1g.5gb", "slices": 7}}),
            "models": model(SMALL),
        },
        says=("1g.5gb", "1g.10gb"),
        remedy="set profile: 1g.10gb",
        passes={
            "nodeGroups": pool("H100-80GB", sharing={"mig": {"profile": "1g.10gb", "slices": 7}}),
            "models": model(SMALL),
        },
    ),
    Case(
        code="MEM009",
        breaks={"nodeGroups": pool("A100-80GB", sharing={"mig": {"profile": "3g.40gb", "slices": 3}})},
        says=("at most 2",),
        remedy="set slices: 2",
        passes={"nodeGroups": pool("A100-80GB", sharing={"mig": {"profile": "3g.40gb", "slices": 2}})},
    ),
    Case(
        code="MEM009",
        breaks={
            "nodeGroups": pool("L40S", sharing={"mig": {"profile": "1g.10gb", "slices": 4}}),
            "models": model(SMALL),
        },
        says=("L40S has no MIG",),
        remedy="remove sharing",
        passes={
            "nodeGroups": pool("A100-40GB", sharing={"mig": {"profile": "1g.10gb", "slices": 4}}),
            "models": model(SMALL),
        },
    ),
    Case(
        code="MEM010",
        breaks={"workloads": engine(maxModelLen=200000)},
        says=("200,000", "131,072"),
        remedy="set maxModelLen: 131072",
        passes={"workloads": engine(maxModelLen=131072)},
    ),
    Case(  # Qwen2.5 with YaRN, as its model card says
        code="MEM010",
        breaks={"models": model("Qwen/Qwen2.5-7B-Instruct"), "workloads": engine(maxModelLen=65536)},
        says=("32,768",),
        passes={
            "models": model("Qwen/Qwen2.5-7B-Instruct"),
            "workloads": engine(
                maxModelLen=65536,
                extraArgs=[
                    '--hf-overrides={"rope_parameters": {"rope_type": "yarn", "factor": 4.0, "rope_theta": 1000000}}'
                ],
            ),
        },
    ),
    Case(
        code="MEM010",
        breaks={"workloads": engine(maxModelLen=200000)},
        passes={
            "workloads": {"chat": {"env": {"VLLM_ALLOW_LONG_MAX_MODEL_LEN": "1"}, "engine": {"maxModelLen": 200000}}}
        },
    ),
    Case(
        code="MEM011",
        breaks={"workloads": engine(kvCacheMemoryBytes=75 * 1024**3)},
        says=("75.00 GiB", "79.2"),
        remedy="set kvCacheMemoryBytes",
        passes={"workloads": engine(kvCacheMemoryBytes=40 * 1024**3)},
    ),
    Case(
        code="MEM011",
        breaks={"workloads": engine(kvCacheMemoryBytes=512 * 1024**2)},
        says=("0.50 GiB", "8,192"),
        passes={"workloads": engine(kvCacheMemoryBytes=2 * 1024**3)},
    ),
]
