"""LWS, EFA, and PAR for copies that span nodes."""

from typing import Any

from tests.preflight.case import Case
from tests.preflight.cases_memory import engine, model

OPERATOR = {"leaderWorkerSet": {}}


def group(
    sizes: dict[str, Any] | None = None,
    *,
    nodes: dict[str, Any] | None = None,
    platform: dict[str, Any] | None = None,
    **keys: Any,
) -> dict[str, Any]:
    """`chat` as a LeaderWorkerSet of two groups with 16 ranks on two nodes each."""
    return {
        "platform": {**OPERATOR, **(platform or {})},
        "nodeGroups": {"gpu": {"maxSize": 8, **(nodes or {})}},
        "workloads": {
            "chat": {
                "kind": "LeaderWorkerSet",
                "engine": {"tensorParallelSize": 8, "pipelineParallelSize": 2, **(sizes or {})},
                **keys,
            }
        },
    }


EFA = {"efa": True}
PLUGIN = {"efaDevicePlugin": {}}

CASES = [
    Case(
        code="LWS001",
        breaks={**group(), "platform": {"nvidiaDevicePlugin": {}}},
        says=("chat", "controller"),
        remedy="set platform.leaderWorkerSet",
        passes={**group(), "platform": {"leaderWorkerSet": {"install": False}}},
    ),
    Case(
        code="LWS002",
        breaks={
            "platform": OPERATOR,
            "nodeGroups": {"gpu": {"maxSize": 8}},
            "workloads": {
                "chat": {
                    "kind": "LeaderWorkerSet",
                    "size": 2,
                    "engine": {"name": "tgi", "version": "3.3.7", "maxModelLen": None, "numShard": 4},
                }
            },
        },
        says=("tgi", "2 pods"),
        remedy="use engine vllm",
        passes=group(),
    ),
    Case(
        code="LWS003",
        breaks=group(startupPolicy="LeaderReady"),
        says=("LeaderReady", "no group ever starts"),
        remedy="startupPolicy: LeaderCreated",
        passes=group(startupPolicy="LeaderCreated"),
    ),
    Case(
        code="LWS004",
        breaks=group(restartPolicy="None"),
        says=("restartPolicy None",),
        remedy="restartPolicy: RecreateGroupOnPodRestart",
        passes=group(restartPolicy="RecreateGroupAfterStart"),
    ),
    Case(
        code="LWS005",
        breaks={
            **group(),
            "workloads": {
                **group()["workloads"],
                "chat-1": {
                    "kind": "Deployment",
                    "model": "llama",
                    "nodeGroup": "gpu",
                    "engine": {"name": "vllm", "version": "0.33.0", "maxModelLen": 8192},
                },
            },
        },
        says=("chat-1", "group 1 of chat"),
        remedy="rename the workload chat-1",
        passes={
            **group(),
            "workloads": {
                **group()["workloads"],
                "chat-2": {  # there is no third group
                    "kind": "Deployment",
                    "model": "llama",
                    "nodeGroup": "gpu",
                    "engine": {"name": "vllm", "version": "0.33.0", "maxModelLen": 8192},
                },
            },
        },
    ),
    Case(
        code="LWS006",
        breaks=group(exclusiveTopology="kubernetes.io/hostname"),
        says=("16 GPUs", "has 8"),
        remedy="remove exclusiveTopology",
        passes=group(exclusiveTopology="llm-serving/rack"),
    ),
    Case(
        code="LWS006",
        breaks=group(nodes={"zones": ["us-east-1a"]}, exclusiveTopology="topology.kubernetes.io/zone"),
        says=("2 groups", "us-east-1a"),
        remedy="replicas: 1",
        passes=group(nodes={"zones": ["us-east-1a", "us-east-1b"]}, exclusiveTopology="topology.kubernetes.io/zone"),
    ),
    Case(  # a rollout with surge needs a domain more
        code="LWS006",
        breaks=group(
            nodes={"zones": ["us-east-1a", "us-east-1b"]},
            exclusiveTopology="topology.kubernetes.io/zone",
            rollout="surge",
        ),
        says=("1 more",),
        remedy="rollout: in-place",
        passes=group(
            nodes={"zones": ["us-east-1a", "us-east-1b"]},
            exclusiveTopology="topology.kubernetes.io/zone",
            rollout="in-place",
        ),
    ),
    Case(
        code="LWS007",
        breaks=group({"tensorParallelSize": 4}, restartPolicy="RecreateGroupAfterStart"),
        says=("one pod with 8 GPUs",),
        remedy="set kind: Deployment",
        passes=group({"tensorParallelSize": 4}, size=2),
    ),
    Case(
        code="LWS008",
        breaks=group(env={"VLLM_HOST_IP": "10.0.0.1"}),
        says=("VLLM_HOST_IP", "pod to pod"),
        remedy="remove it",
        passes=group(env={"NCCL_DEBUG": "INFO"}),
    ),
    Case(
        code="LWS008",
        breaks=group({"extraArgs": ["--distributed-executor-backend=ray"]}),
        says=("--distributed-executor-backend",),
        remedy="remove --distributed-executor-backend",
        passes=group({"extraArgs": ["--distributed-executor-backend=mp"]}),
    ),
    Case(
        code="LWS008",
        breaks=group({"pipelineParallelSize": 1, "dataParallelSize": 2, "dataParallelBackend": "ray"}),
        says=("dataParallelBackend ray",),
        remedy="dataParallelBackend: mp",
        passes=group({"pipelineParallelSize": 1, "dataParallelSize": 2, "dataParallelBackend": "mp"}),
    ),
    Case(  # a Deployment that asks for two nodes is told which kind can have them
        code="PAR003",
        breaks={
            "nodeGroups": {"gpu": {"maxSize": 8}},
            "workloads": engine(tensorParallelSize=8, pipelineParallelSize=2),
        },
        says=("16 GPUs", "has 8"),
        passes=group(),
    ),
    Case(  # too large for a node whatever the sizes
        code="PAR003",
        breaks={
            "models": model("meta-llama/Llama-3.1-405B-Instruct"),
            "nodeGroups": {"gpu": {"maxSize": 4}},
            "volumes": {"weights": {"size": "1000Gi"}},
            "workloads": engine(tensorParallelSize=8, pipelineParallelSize=2),
        },
        says=("16 GPUs",),
        remedy="set kind: LeaderWorkerSet, whose copies span nodes (and platform.leaderWorkerSet: {})",
        passes={
            **group(),
            "models": model("meta-llama/Llama-3.1-405B-Instruct"),
        },
    ),
    Case(
        code="PAR003",
        breaks=group({"pipelineParallelSize": 4}, size=2),
        says=("16 GPUs", "divided by 2 pods", "has 8"),
        remedy="remove size",
        passes=group({"pipelineParallelSize": 4}),
    ),
    Case(
        code="PAR012",
        breaks=group({"tensorParallelSize": 1, "pipelineParallelSize": 17}),
        says=("17 ranks", "3 pods"),
        remedy="pipelineParallelSize: 16",
        passes=group({"tensorParallelSize": 1, "pipelineParallelSize": 16}),
    ),
    Case(  # 2 x 6 ranks: neither whole engines in a pod nor an engine over whole pods
        code="PAR012",
        breaks=group({"tensorParallelSize": 4, "pipelineParallelSize": 1, "dataParallelSize": 3}),
        says=("6 ranks", "engine 4"),
        remedy="size: 3",
        passes=group({"tensorParallelSize": 4, "pipelineParallelSize": 1, "dataParallelSize": 4}),
    ),
    Case(
        code="PAR013",
        breaks=group({"tensorParallelSize": 16, "pipelineParallelSize": 1}),
        says=("16 with 8 GPUs", "3,200 Gbit/s", "NVLink"),
        remedy="set tensorParallelSize: 8 and pipelineParallelSize: 2",
        passes=group(),
    ),
    Case(  # fewer GPUs in each pod than in a node
        code="PAR013",
        breaks=group({"tensorParallelSize": 8, "pipelineParallelSize": 1}, size=2),
        says=("8 with 4 GPUs",),
        remedy="set tensorParallelSize: 4 and pipelineParallelSize: 2",
        passes=group({"tensorParallelSize": 4}, size=2),
    ),
    Case(
        code="PAR014",
        breaks=group(nodes={"zones": ["us-east-1a", "us-east-1b"]}),
        says=("us-east-1a, us-east-1b", "chat"),
        remedy="exclusiveTopology: topology.kubernetes.io/zone",
        passes=group(nodes={"zones": ["us-east-1a", "us-east-1b"]}, exclusiveTopology="topology.kubernetes.io/zone"),
    ),
    Case(
        code="PAR014",
        breaks=group(nodes={"zones": None, "subnetIds": ["subnet-1", "subnet-2"]}),
        says=("2 subnets",),
        passes=group(),
    ),
    Case(  # a pod of its own for each copy may be anywhere
        code="PAR014",
        breaks=group(nodes={"zones": None}),
        says=("zones of gpu are not given",),
        passes={"nodeGroups": {"gpu": {"zones": ["us-east-1a", "us-east-1b"]}}},
    ),
    Case(  # 8B parameters on 16 H100
        code="PAR015",
        breaks=group(),
        says=("one node of gpu holds a copy", "with 8 GPUs", "2 nodes"),
        remedy="set kind: Deployment, tensorParallelSize: 8, pipelineParallelSize: 1, replicas: 4",
        passes={**group(), "models": model("meta-llama/Llama-3.1-405B-Instruct")},
    ),
    Case(
        code="EFA001",
        breaks={"nodeGroups": {"gpu": {"instanceTypes": ["g6.4xlarge"], **EFA}}},
        says=("g6.4xlarge",),
        remedy="efa: False",
        passes={"nodeGroups": {"gpu": EFA}},
    ),
    Case(
        code="EFA001",
        breaks={"nodeGroups": {"gpu": {"instanceTypes": ["p6-b300.48xlarge"], **EFA}}},
        says=("p6-b300.48xlarge", "network cards"),
        passes={"nodeGroups": {"gpu": {"instanceTypes": ["p6-b300.48xlarge"]}}},
    ),
    Case(
        code="EFA002",
        breaks=group(nodes=EFA),
        says=("vpc.amazonaws.com/efa",),
        remedy="set platform.efaDevicePlugin",
        passes=group(nodes=EFA, platform=PLUGIN),
    ),
    Case(
        code="EFA003",
        breaks={"nodeGroups": {"gpu": {"zones": ["us-east-1a", "us-east-1b"], **EFA}}},
        says=("us-east-1a, us-east-1b",),
        remedy="one zone",
        passes={"nodeGroups": {"gpu": EFA}},
    ),
    Case(
        code="EFA004",
        breaks=group(nodes=EFA, platform=PLUGIN),
        says=("vllm/vllm-openai", "TCP"),
        remedy="engine.image",
        passes=group({"image": "registry.example.com/vllm-efa:0.33.0"}, nodes=EFA, platform=PLUGIN),
    ),
    Case(
        code="EFA005",
        breaks=group(),
        says=("32 EFA adapters", "TCP"),
        remedy="efa: true",
        passes={},
    ),
    Case(
        code="EFA006",
        breaks={
            **group(platform=PLUGIN),
            "nodeGroups": {
                "gpu": {
                    "instanceTypes": None,
                    "subnetIds": None,
                    "minSize": None,
                    "maxSize": None,
                    "provisioner": "existing",
                    "instanceType": "p5.48xlarge",
                    "nodes": 4,
                    "nodeSelector": {"pool": "h100"},
                    **EFA,
                }
            },
        },
        says=("ulimit -l",),
        passes=group(nodes=EFA, platform=PLUGIN),
    ),
    Case(  # every pod of every group mounts the volume
        code="VOL001",
        breaks={
            **group(replicas=1),
            "volumes": {"weights": {"storage": "ebs", "size": "500Gi", "fileSystemId": None}},
        },
        says=("2 pods", "any of 8 nodes"),
        passes=group(replicas=1),
    ),
    Case(  # a surging group needs two nodes more
        code="ROL001",
        breaks=group(nodes={"maxSize": 5}, rollout="surge"),
        says=("a new group of 2 pods", "32 of 40"),
        remedy="rollout: in-place",
        passes=group(nodes={"maxSize": 6}, rollout="surge"),
    ),
    Case(
        code="POD006",
        breaks=group(nodes={"maxSize": 3}),
        says=("4 x 8", "4 nodes"),
        remedy="maxSize: 4",
        passes=group(nodes={"maxSize": 4}),
    ),
]
