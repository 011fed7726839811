"""ROL: stacks that break each rule, and the nearest ones that don't."""

from typing import Any

from tests.preflight.case import Case


def chat(**keys: Any) -> dict[str, Any]:
    return {"workloads": {"chat": keys}}


SPOT = {"nodeGroups": {"gpu": {"capacity": "spot"}}}

CASES = [
    Case(
        code="ROL001",
        breaks=chat(rollout="surge", engine={"tensorParallelSize": 8}),
        says=("a new pod of 8 GPUs", "16 of 16 GPUs are taken", "2 nodes"),
        remedy="set workloads.chat.rollout: in-place",
        passes=chat(rollout="in-place", engine={"tensorParallelSize": 8}),
    ),
    # Seven pods of four GPUs don't fill four nodes, and one more finds its place.
    Case(
        code="ROL001",
        breaks={
            "nodeGroups": {"gpu": {"maxSize": 4}},
            **chat(rollout="surge", replicas=8, engine={"tensorParallelSize": 4}),
        },
        says=("32 of 32",),
        passes={
            "nodeGroups": {"gpu": {"maxSize": 4}},
            **chat(rollout="surge", replicas=7, engine={"tensorParallelSize": 4}),
        },
    ),
    # GPUs are free, memory isn't.
    Case(
        code="ROL001",
        breaks=chat(rollout="surge", resources={"memory": "1100Gi"}),
        says=("no room",),
        passes=chat(rollout="surge", resources={"memory": "600Gi"}),
    ),
    Case(
        code="ROL002",
        breaks=chat(replicas=1),
        says=("one replica", "an update, or a drained or lost node", "up to 13 minutes", "drain 75 s"),
        remedy="set workloads.chat.replicas: 2",
    ),
    Case(
        code="ROL002",
        breaks=chat(replicas=1, rollout="surge"),
        says=("a drained or lost node takes",),
        passes=chat(replicas=0),
    ),
    Case(
        code="ROL003",
        breaks={**SPOT, **chat(drain={"preStopSeconds": 15, "shutdownTimeoutSeconds": 600})},
        says=("630 s", "120 s after its notice", "running requests are cut off"),
        remedy="set workloads.chat.drain.shutdownTimeoutSeconds: 90",
        passes=chat(drain={"preStopSeconds": 15, "shutdownTimeoutSeconds": 600}),
    ),
    Case(
        code="ROL003",
        breaks={**SPOT, **chat(drain={"preStopSeconds": 15, "shutdownTimeoutSeconds": 100})},
        says=("130 s", "the margin may be cut off"),
        remedy="shutdownTimeoutSeconds: 90",
        passes=SPOT,
    ),
    Case(
        code="ROL004",
        breaks={**SPOT, **chat(replicas=1)},
        says=("the only replica of chat",),
        remedy="set workloads.chat.replicas: 2",
        passes=SPOT,
    ),
    Case(
        code="ROL005",
        breaks={"nodeGroups": {"gpu": {"maxSize": 1}}},
        says=("all 2 replicas", "the one node of gpu"),
        remedy="set nodeGroups.gpu.maxSize: 2",
    ),
]
