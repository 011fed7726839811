"""VOL: stacks that break each rule, and the nearest ones that don't."""

from typing import Any

from tests.preflight.case import COMMIT, Case

EBS = {"storage": "ebs", "size": "100Gi", "fileSystemId": None, "zone": "us-east-1a"}
LARGE = {"id": "meta-llama/Llama-3.1-70B-Instruct", "revision": COMMIT}
FSX = {
    "storage": "fsx",
    "fileSystemId": None,
    "subnetId": "subnet-0a1b2c3d",
    "securityGroupIds": ["sg-0a1b2c3d"],
    "perUnitStorageThroughput": 1000,
    "size": "1200Gi",
}


def stack(volume: dict[str, Any], group: dict[str, Any] | None = None, **chat: Any) -> dict[str, Any]:
    return {"volumes": {"weights": volume}, "nodeGroups": {"gpu": group or {}}, "workloads": {"chat": chat}}


def claim(access: str, **keys: Any) -> dict[str, Any]:
    return {
        "storage": "existingClaim",
        "claimName": "weights",
        "accessMode": access,
        "size": None,
        "fileSystemId": None,
        **keys,
    }


def by_class(access: str, **keys: Any) -> dict[str, Any]:
    return {"storage": "storageClass", "storageClassName": "fast", "accessMode": access, "fileSystemId": None, **keys}


CASES = [
    Case(
        code="VOL001",
        breaks=stack(EBS),
        says=("ReadWriteOnce", "2 pods (chat: 2)", "any of 2 nodes"),
        remedy="set nodeGroups.gpu.maxSize: 1, which holds all its pods",
        passes=stack(EBS, {"maxSize": 1}),
    ),
    # Two pods that need a node each can't share one.
    Case(
        code="VOL001",
        breaks=stack(EBS, engine={"tensorParallelSize": 8}),
        says=("chat: 2",),
        remedy="use storage: efs or fsx",
        passes=stack(claim("ReadWriteOnce"), replicas=1),
    ),
    # One pod that is replaced by a surge is two pods for a while.
    Case(
        code="VOL001",
        breaks=stack(claim("ReadWriteOnce"), replicas=1, rollout="surge", engine={"tensorParallelSize": 8}),
        says=("chat: 1 + 1 while it rolls out",),
        remedy="set workloads.chat.rollout: in-place",
        passes=stack(claim("ReadWriteOnce"), replicas=1),
    ),
    Case(
        code="VOL001",
        breaks=stack(EBS, replicas=1),
        says=("filled by a Job", "later revision", "2 nodes"),
        remedy="set nodeGroups.gpu.maxSize: 1",
        passes=stack({**EBS, "download": False}, replicas=1),
    ),
    Case(
        code="VOL002",
        breaks=stack(claim("ReadWriteOncePod")),
        says=("2 pods",),
        remedy="accessMode: ReadWriteMany",
        passes=stack(claim("ReadWriteOncePod"), replicas=1),
    ),
    Case(
        code="VOL002",
        breaks=stack(claim("ReadWriteOncePod"), replicas=1, rollout="surge"),
        remedy="set workloads.chat.rollout: in-place",
        passes=stack(claim("ReadWriteOncePod"), replicas=1),
    ),
    Case(
        code="VOL002",
        breaks=stack(by_class("ReadWriteOncePod"), replicas=1),
        says=("the Job waits for the running pod",),
        passes=stack(by_class("ReadWriteMany"), replicas=1),
    ),
    Case(
        code="VOL003",
        breaks=stack(by_class("ReadWriteMany", size="10Gi")),
        says=("10Gi", "weigh"),
        remedy="set volumes.weights.size: 20Gi",
        passes=stack(by_class("ReadWriteMany", size="20Gi")),
    ),
    Case(
        code="VOL003",
        breaks=stack(claim("ReadWriteMany", size="10Gi")),
        remedy="enlarge the claim to 20Gi",
        # EFS ignores the size of a claim.
        passes=stack({"size": "1Gi"}),
    ),
    Case(
        code="VOL004",
        breaks=stack({**EBS, "zone": "us-east-1b"}, {"maxSize": 1}),
        says=("us-east-1b", "us-east-1a", "no pod can attach it"),
        remedy="set volumes.weights.zone: us-east-1a",
        passes=stack(EBS, {"maxSize": 1}),
    ),
    Case(
        code="VOL004",
        breaks=stack({**FSX, "zone": "us-east-1b"}),
        says=("crosses zones",),
        passes=stack({**FSX, "zone": "us-east-1a"}),
    ),
    Case(
        code="VOL005",
        breaks=stack(
            {**EBS, "zone": None}, {"zones": None, "subnetIds": ["subnet-0a1b2c3d", "subnet-1a1b2c3d"]}, replicas=1
        ),
        says=("in the zone of its first pod", "any of 2 subnets"),
        remedy="nodeGroups.gpu.zones",
        passes=stack({**EBS, "zone": None}, {"zones": None}, replicas=1),
    ),
    Case(
        code="VOL005",
        breaks=stack(EBS, {"zones": ["us-east-1a", "us-east-1b"]}, replicas=1),
        says=("in us-east-1a", "us-east-1a, us-east-1b"),
        remedy="keep gpu in one zone",
        # EFS is in all zones.
        passes=stack({}, {"zones": ["us-east-1a", "us-east-1b"]}),
    ),
    Case(
        code="VOL006",
        breaks=stack(by_class("ReadOnlyMany")),
        says=("ReadOnlyMany", "1 download Job"),
        remedy="accessMode: ReadWriteMany",
        passes=stack(claim("ReadOnlyMany")),
    ),
    Case(
        code="VOL007",
        breaks={"models": {"llama": LARGE}, "workloads": {"chat": {"engine": {"tensorParallelSize": 4}}}},
        says=("33 minutes", "100 MiB/s"),
        remedy="volumes.weights.throughputMiBps",
        passes={
            "models": {"llama": LARGE},
            "workloads": {"chat": {"engine": {"tensorParallelSize": 4}}},
            "volumes": {"weights": {"throughputMiBps": 1000}},
        },
    ),
]
