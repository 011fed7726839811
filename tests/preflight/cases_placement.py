"""POD: stacks that break each rule, and the nearest ones that don't."""

from typing import Any

from tests.preflight.case import Case


def group(**keys: Any) -> dict[str, Any]:
    return {"nodeGroups": {"gpu": keys}}


def chat(**keys: Any) -> dict[str, Any]:
    return {"workloads": {"chat": keys}}


def lab(**keys: Any) -> dict[str, Any]:
    """The group as existing nodes of eight H100."""
    nodes = {
        "provisioner": "existing",
        "gpu": "H100-80GB",
        "gpusPerNode": 8,
        "nodes": 2,
        "nodeSelector": {"pool": "h100"},
    }
    return {"nodeGroups": {"gpu": None, "lab": {**nodes, **keys}}, "workloads": {"chat": {"nodeGroup": "lab"}}}


def second(**keys: Any) -> dict[str, Any]:
    """Another workload beside `chat`, on the same nodes."""
    engine = {"name": "vllm", "version": "0.33.0", "maxModelLen": 8192, **keys.pop("engine", {})}
    return {"big": {"kind": "Deployment", "model": "llama", "nodeGroup": "gpu", "engine": engine, **keys}}


def shared(way: str = "timeSlicing") -> dict[str, Any]:
    return {"instanceTypes": ["g5.xlarge"], "sharing": {way: {"replicas": 4}}}


CASES = [
    Case(
        code="POD001",
        breaks=group(instanceTypes=["p5.48xlrge"]),
        says=("p5.48xlrge", "did you mean p5.48xlarge", "catalog.instanceTypes.p5.48xlrge"),
    ),
    Case(
        code="POD001",
        breaks=lab(gpu="H100"),
        says=("H100", "catalog.gpus.H100"),
        passes=lab(cpu="180", memory="1900Gi"),
    ),
    Case(
        code="POD002",
        breaks=group(instanceTypes=["p5.48xlarge", "p4d.24xlarge"]),
        says=("8 x H100-80GB", "8 x A100-40GB"),
        remedy="keep p5.48xlarge here",
        passes=group(instanceTypes=["g5.12xlarge", "g5.24xlarge"]),
    ),
    Case(
        code="POD003",
        breaks=chat(resources={"cpu": "500"}),
        says=("requests 500 CPU", "at most 191450m"),
        remedy="resources.cpu: 190900m",
        passes=chat(resources={"cpu": "180"}),
    ),
    Case(
        code="POD003",
        breaks={**group(instanceTypes=["g5.xlarge"]), **chat(resources={"cpu": "3800m"}, replicas=1)},
        says=("3800m", "3920m", "about 500m is for DaemonSets", "may not start"),
        remedy="resources.cpu: 3400m",
        passes={**group(instanceTypes=["g5.xlarge"]), **chat(resources={"cpu": "3400m"}, replicas=1)},
    ),
    Case(
        code="POD004",
        breaks=chat(resources={"memory": "4000Gi"}),
        says=("4000Gi memory", "1Gi of it for /dev/shm", "at most"),
        remedy="resources.memory: 18",
        passes=chat(resources={"memory": "1800Gi"}),
    ),
    Case(
        code="POD004",
        breaks=lab(cpu="180", memory="8Gi"),
        says=("11Gi memory", "at most 8Gi"),
        remedy="resources.memory: 7Gi",
        passes=lab(cpu="180", memory="64Gi"),
    ),
    Case(
        code="POD004",
        breaks={**group(instanceTypes=["g5.xlarge"]), **chat(resources={"memory": "15Gi"}, replicas=1)},
        says=("15Gi", "between 14162Mi and 16029Mi", "may not start"),
        passes={**group(instanceTypes=["g5.xlarge"]), **chat(resources={"memory": "12Gi"}, replicas=1)},
    ),
    Case(
        code="POD005",
        breaks=chat(resources={"ephemeralStorage": "500Gi"}),
        says=("500Gi ephemeral storage", "180Gi"),
        remedy="diskSize",
        passes={**group(diskSize="700Gi"), **chat(resources={"ephemeralStorage": "500Gi"})},
    ),
    Case(
        code="POD005",
        breaks={
            "volumes": {"weights": None},
            "models": {"llama": {"id": "meta-llama/Llama-3.1-70B-Instruct", "volume": None}},
            **chat(engine={"tensorParallelSize": 4}),
        },
        says=("ephemeral storage", "when the disk fills, the pod is evicted"),
        remedy="set nodeGroups.gpu.diskSize: 210Gi",
        passes={
            "volumes": {"weights": None},
            "models": {"llama": {"id": "meta-llama/Llama-3.1-70B-Instruct", "volume": None}},
            **chat(engine={"tensorParallelSize": 4}),
            **group(diskSize="400Gi"),
        },
    ),
    Case(
        code="POD006",
        breaks=chat(engine={"tensorParallelSize": 8}, replicas=3),
        says=("request 24 GPUs", "takes 3 nodes of 8", "at most 2"),
        remedy="set nodeGroups.gpu.maxSize: 3",
        passes=chat(engine={"tensorParallelSize": 8}, replicas=2),
    ),
    # Nine pods of three GPUs are 27, and still need five nodes of eight.
    Case(
        code="POD006",
        breaks={**group(maxSize=4), **chat(engine={"pipelineParallelSize": 3}, replicas=9)},
        says=("request 27 GPUs", "takes 5 nodes of 8"),
        remedy="set nodeGroups.gpu.maxSize: 5",
        passes={**group(maxSize=5), **chat(engine={"pipelineParallelSize": 3}, replicas=9)},
    ),
    Case(
        code="POD006",
        breaks={
            **(there := lab(cpu="180", memory="1900Gi")),
            "workloads": {"chat": {"nodeGroup": "lab", "replicas": 17}},
        },
        says=("request 17 GPUs", "takes 3 nodes"),
        remedy="bring lab to 3 nodes",
        passes=there,
    ),
    Case(code="POD007", breaks=lab(), says=("cpu and memory", "lab"), passes=lab(cpu="180", memory="1900Gi")),
    Case(
        code="POD008",
        breaks=chat(resources={"shm": "16Gi", "memory": "12Gi"}),
        says=("16Gi", "12Gi"),
        remedy="resources.memory: 20Gi",
        passes=chat(resources={"shm": "8Gi", "memory": "12Gi"}),
    ),
    # The default of container runtimes, the classic failure.
    Case(
        code="POD009",
        breaks=chat(engine={"tensorParallelSize": 4}, resources={"shm": "64Mi"}),
        says=("4 ranks", "1120Mi", "64Mi", "240Mi"),
        remedy="resources.shm: 2Gi",
        passes=chat(engine={"tensorParallelSize": 4}, resources={"shm": "2Gi"}),
    ),
    # Each data-parallel engine has queues of its own.
    Case(
        code="POD009",
        breaks=chat(engine={"dataParallelSize": 8}, resources={"shm": "2Gi"}),
        says=("8 ranks", "3200Mi", "SIGBUS"),
        remedy="resources.shm: 4Gi",
        passes=chat(resources={"shm": "64Mi"}),
    ),
    Case(
        code="POD010",
        breaks={"platform": {"nvidiaDevicePlugin": None}},
        says=("AL2023", "gpu", "GPU Operator"),
        remedy="platform.nvidiaDevicePlugin: {}, or ami: bottlerocket",
        passes={"platform": {"nvidiaDevicePlugin": None}, **group(ami="bottlerocket")},
    ),
    Case(
        code="POD011",
        breaks=group(ami="bottlerocket"),
        says=("gpu", "Bottlerocket"),
        remedy="leave platform.nvidiaDevicePlugin out",
        passes={
            "nodeGroups": {
                "gpu": {"ami": "bottlerocket"},
                "more": {"instanceTypes": ["g5.xlarge"], "subnetIds": ["subnet-0a1b2c3d"], "maxSize": 1},
            }
        },
    ),
    Case(
        code="POD011",
        breaks={**group(ami="bottlerocket", **shared()), **chat(replicas=1, engine={"gpuMemoryUtilization": 0.2})},
        says=("time-slicing", "1 units and not 4"),
        passes=group(**shared()),
    ),
    Case(
        code="POD012",
        breaks=group(instanceTypes=["g6f.xlarge"]),
        says=("g6f.xlarge", "slice of an L4"),
        passes=group(instanceTypes=["g6.xlarge"]),
    ),
    # One GPU each spreads over both nodes, and then no node is whole.
    Case(
        code="POD013",
        breaks={"workloads": second(engine={"tensorParallelSize": 8})},
        says=("fit on its 2 nodes only if they are packed well", "a pod of big", "8 GPUs"),
        remedy="set nodeGroups.gpu.maxSize: 3, with which any order works",
        passes={"workloads": second()},
    ),
    Case(
        code="POD013",
        breaks={
            **group(maxSize=2),
            "workloads": {
                "chat": {"replicas": 3, "engine": {"tensorParallelSize": 4}},
                **second(replicas=2, engine={"tensorParallelSize": 2}),
            },
        },
        says=("packed well",),
        remedy="maxSize: 3",
        passes={
            "workloads": {
                "chat": {"replicas": 2, "engine": {"tensorParallelSize": 4}},
                **second(engine={"tensorParallelSize": 2}),
            }
        },
    ),
    # Four units of one GPU, but the memory of the node is enough for one pod.
    Case(
        code="POD014",
        breaks={**group(**shared(), maxSize=1), **chat(replicas=4, engine={"gpuMemoryUtilization": 0.2})},
        says=("take 4 nodes for their memory", "at most 1 nodes"),
        remedy="set nodeGroups.gpu.maxSize: 4",
        passes={**group(**shared(), maxSize=4), **chat(replicas=4, engine={"gpuMemoryUtilization": 0.2})},
    ),
    Case(
        code="POD014",
        breaks=chat(replicas=6, resources={"cpu": "90"}),
        says=("for their CPU", "6 x 90"),
        remedy="set nodeGroups.gpu.maxSize: 3",
        passes=chat(replicas=4, resources={"cpu": "90"}),
    ),
    Case(
        code="POD015",
        breaks=lab(nodeSelector={"nvidia.com/gpu.product": "NVIDIA-H100-80GB"}),
        says=("NVIDIA-H100-80GB is no label", "NVIDIA-H100-80GB-HBM3", "unless"),
        remedy="set nvidia.com/gpu.product: NVIDIA-H100-80GB-HBM3",
        passes=lab(nodeSelector={"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3-SHARED"}),
    ),
    Case(
        code="POD015",
        breaks=lab(nodeSelector={"nvidia.com/gpu.product": "NVIDIA-A100-SXM4-80GB-MIG-1g.10gb"}),
        says=("the label of A100-80GB", "all pods stay Pending"),
        remedy="set nvidia.com/gpu.product: NVIDIA-H100-80GB-HBM3-MIG-1g.10gb",
        passes=lab(nodeSelector={"gpu": "h100"}),
    ),
]
