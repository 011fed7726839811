"""Random stacks for the comparison of preflight with the scheduler: what they declare, and what preflight says of them. Pure."""

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from components.infrastructure import Allocatable, NodeGroup
from components.pods import pod_template
from components.resolved import Stack, Workload
from components.spec import GIB
from preflight.check import findings
from preflight.placement_nodes import DAEMON_SETS_CPU, DAEMON_SETS_MEMORY
from preflight.registry import RULES
from preflight.rule import Facts, Finding, Rule
from stacks.config import StackConfig
from stacks.resolve import Inputs, resolve
from tests.cluster.client import Object

BOUNDARY_SHARE = 0.3
IMPOSSIBLE, ANY_ORDER, PACKED = "impossible", "fits in any order", "fits only if packed"
SELECTOR = "node affinity/selector"
_REASONS = {
    # Rule -> what the scheduler then misses. POD014 says in its message what is short.
    "PAR003": ("nvidia.com/gpu",),
    "POD003": ("cpu",),
    "POD004": ("memory",),
    "POD005": ("ephemeral-storage",),
    "POD006": ("nvidia.com/gpu",),
    "POD014": ("nvidia.com/gpu", "cpu", "memory", "ephemeral-storage"),
    "POD015": (SELECTOR,),
}
"""Rules that say that a pod can't be placed."""
_WARNINGS = ("POD003", "POD004", "POD005", "POD013", "POD014", "POD015")
_WORDS = {
    "nvidia.com/gpu": ("GPU", "rank"),
    "cpu": ("CPU",),
    "memory": ("memory",),
    "ephemeral-storage": ("ephemeral storage",),
    SELECTOR: ("no node matches",),
}
"""How our messages call what the scheduler misses."""
_TYPES = ("g6.xlarge", "g6.12xlarge", "g6e.12xlarge", "g5.12xlarge", "p4d.24xlarge", "p5.48xlarge")
_GPUS = ("L4", "A10G", "L40S", "A100-80GB", "H100-80GB")


@dataclass(frozen=True, kw_only=True)
class Case:
    """One generated stack."""

    number: int
    boundary: bool
    """Its demand was aimed at exactly what the nodes offer, or one step beside it."""
    stack: Stack
    verdict: str
    """IMPOSSIBLE, ANY_ORDER or PACKED: what preflight says."""
    findings: tuple[tuple[Rule, Finding], ...]

    @property
    def group(self) -> NodeGroup:
        """Its only node group."""
        (group,) = self.stack.node_groups.values()
        return group

    @property
    def reasons(self) -> tuple[frozenset[str], ...]:
        """What each error's message says is short, as the scheduler calls it; several where they are only short together."""
        found = [
            frozenset(
                reason
                for reason in _REASONS[rule.code]
                if any(word in _named(finding.message) for word in _WORDS[reason])
            )
            for rule, finding in self.findings
            if rule.code in _REASONS and _severity(rule, finding) == "error"
        ]
        # Nodes whose labels don't match aren't asked what they have.
        return tuple(one for one in found if SELECTOR in one) or tuple(found)

    def offers(self) -> Allocatable:
        """What the nodes offer in the test: the end of preflight's range at which its verdict is hardest to keep."""
        if self.verdict == IMPOSSIBLE:
            return self.group.upper_allocatable
        sure = self.group.allocatable
        if self.verdict == PACKED:
            return sure
        assert sure.cpu_millis is not None
        assert sure.memory is not None
        return replace(sure, cpu_millis=sure.cpu_millis - DAEMON_SETS_CPU, memory=sure.memory - DAEMON_SETS_MEMORY)

    def pods(self, namespace: str) -> Iterator[Object]:
        """Every pod of every replica, as its Deployment would make it."""
        for workload in self.stack.workloads.values():
            for index in range(workload.replicas):
                yield _pod(workload, namespace, f"{workload.name}-{index}")


def cases(seed: int, count: int) -> list[Case]:
    """The same stacks for the same seed."""
    return [_case(seed, number, boundary=number < count * BOUNDARY_SHARE) for number in range(count)]


def _pod(workload: Workload, namespace: str, name: str) -> Object:
    template = pod_template(workload)
    # Accounts are not what is tried here.
    spec = {**template["spec"], "serviceAccountName": "default"}
    metadata = {**template["metadata"], "name": name, "namespace": namespace}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _case(seed: int, number: int, *, boundary: bool) -> Case:
    draw = random.Random(f"{seed}-{number}")
    name = f"g{number}"
    group = _eks_group(draw) if draw.random() < 0.4 else _existing_group(draw, name)
    config = _config(name, group, {})
    (resolved,) = resolve(config).node_groups.values()
    workloads = (_tight if boundary else _loose)(draw, resolved)
    named = {f"s{number}-{index}": one for index, one in enumerate(workloads)}
    inputs = _config(name, group, named)
    stack = resolve(inputs)
    found = tuple(findings(Facts(stack=stack, inputs=inputs), RULES))
    return Case(number=number, boundary=boundary, stack=stack, verdict=_verdict(found), findings=found)


def _verdict(found: tuple[tuple[Rule, Finding], ...]) -> str:
    if any(rule.code in _REASONS and _severity(rule, one) == "error" for rule, one in found):
        return IMPOSSIBLE
    if any(rule.code in _WARNINGS and _severity(rule, one) == "warning" for rule, one in found):
        return PACKED
    return ANY_ORDER


def _severity(rule: Rule, finding: Finding) -> str:
    return finding.severity or rule.severity


def _named(message: str) -> str:
    """The part of a message that names what is short: POD014 lists the pods before it, POD004 explains /dev/shm in brackets."""
    short = re.search(r" nodes for their ([^:]+):| nodes since (.+) of a node never suit", message)
    return (short[1] or short[2]) if short else message


def _config(name: str, group: dict[str, Any], workloads: dict[str, dict[str, Any]]) -> Inputs:
    stack = {
        "namespace": {"name": "generated"},
        "cluster": {"provider": "eks", "name": "simulated", "kubernetesVersion": "1.36"},
        "platform": {"nvidiaDevicePlugin": {}},
        "nodeGroups": {name: group},
        "models": {"qwen": {"id": "Qwen/Qwen3-0.6B", "revision": "c1899de289a04d12100db370d81485cdf75e47ca"}},
        "workloads": {
            key: {
                "kind": "Deployment",
                "model": "qwen",
                "nodeGroup": name,
                "engine": {"name": "vllm", "version": "0.33.0", "maxModelLen": 8192, "tensorParallelSize": gpus},
                **rest,
            }
            for key, given in workloads.items()
            for gpus, rest in [(given["gpus"], {one: given[one] for one in given if one != "gpus"})]
        },
    }
    config = StackConfig.model_validate(stack, by_alias=True, by_name=False)
    return Inputs(config=config, name="generated", region="us-east-1")


def _eks_group(draw: random.Random) -> dict[str, Any]:
    nodes = draw.randint(1, 4)
    return {
        "instanceTypes": [draw.choice(_TYPES)],
        "subnetIds": ["subnet-0a1b2c3d"],
        "minSize": 0,
        "maxSize": nodes,
        "diskSize": f"{draw.choice((200, 300, 500))}Gi",
    }


def _existing_group(draw: random.Random, name: str) -> dict[str, Any]:
    gpus = draw.choice((1, 2, 4, 8))
    gpu = draw.choice(_GPUS)
    selector = {"pool": name}
    if draw.random() < 0.06:
        selector["nvidia.com/gpu.product"] = "NVIDIA-H200"
    return {
        "provisioner": "existing",
        "gpu": gpu,
        "gpusPerNode": gpus,
        "nodes": draw.randint(1, 4),
        "nodeSelector": selector,
        "cpu": str(draw.choice((4, 8, 12)) * gpus),
        "memory": f"{draw.choice((24, 32, 64)) * gpus}Gi",
        "ephemeralStorage": f"{draw.choice((100, 200, 400))}Gi",
    }


def _loose(draw: random.Random, group: NodeGroup) -> list[dict[str, Any]]:
    """Any sizes, from much too small to somewhat too large."""
    found = []
    for _ in range(draw.randint(1, 4)):
        gpus = draw.choice(
            [one for one in (1, 2, 4, 8) if one <= group.units_per_node * (2 if draw.random() < 0.1 else 1)]
        )
        share = gpus / group.units_per_node
        found.append(
            {
                "gpus": gpus,
                "replicas": draw.randint(1, max(1, round(group.units_per_node * group.max_nodes / gpus / 2))),
                "rollout": "surge" if draw.random() < 0.2 else "in-place",
                "resources": {
                    "cpu": _cpu(_offered(group).cpu_millis * share * draw.uniform(0.3, 1.1)),
                    "memory": _mebi(max(6 * GIB, _offered(group).memory * share * draw.uniform(0.3, 1.1))),
                    "shm": "1Gi",
                    "ephemeralStorage": _mebi(_offered(group).ephemeral_storage * draw.uniform(0.05, 0.4)),
                },
            }
        )
    return found


def _tight(draw: random.Random, group: NodeGroup) -> list[dict[str, Any]]:
    """Demand for one resource at exactly what is offered (less DaemonSets, or not), or one step above or below."""
    per_node = draw.randint(1, min(4, group.units_per_node))
    step = draw.choice((-1, 0, 0, 1))
    axis = draw.choice(("gpu", "gpu", "cpu", "memory", "storage"))
    known, most = group.allocatable, group.upper_allocatable
    base = draw.choice((known, most))
    kept = draw.choice((0, 1))
    assert base.cpu_millis is not None
    assert base.memory is not None
    assert base.ephemeral_storage is not None
    gpus = [one for one in (1, 2, 4, 8) if one * per_node <= group.units_per_node]
    pod = {
        "gpus": draw.choice(gpus),
        "replicas": per_node * group.max_nodes,
        "resources": {"cpu": "1", "memory": "6Gi", "shm": "1Gi", "ephemeralStorage": "20Gi"},
    }
    if axis == "gpu":
        return _gpu_mix(draw, group, step)
    if axis == "cpu":
        pod["resources"]["cpu"] = _cpu((base.cpu_millis - kept * DAEMON_SETS_CPU) / per_node + step)
    elif axis == "memory":
        pod["resources"]["memory"] = (
            str(int((base.memory - kept * DAEMON_SETS_MEMORY) / per_node) // 2**20 + step) + "Mi"
        )
    else:
        pod["resources"]["ephemeralStorage"] = str(int(base.ephemeral_storage / per_node) // 2**20 + step) + "Mi"
    return [pod]


def _gpu_mix(draw: random.Random, group: NodeGroup, step: int) -> list[dict[str, Any]]:
    """Pods of several sizes whose GPUs add up to all there are, `step` more or less."""
    left = group.units_per_node * group.max_nodes + step
    counts: dict[int, int] = {}
    while left > 0:
        size = draw.choice([one for one in (1, 2, 4, 8) if one <= min(left, group.units_per_node)])
        counts[size] = counts.get(size, 0) + 1
        left -= size
    resources = {"cpu": "1", "memory": "6Gi", "shm": "1Gi", "ephemeralStorage": "4Gi"}
    return [{"gpus": size, "replicas": count, "resources": resources} for size, count in counts.items()]


@dataclass(frozen=True)
class _Offered:
    cpu_millis: int
    memory: int
    ephemeral_storage: int


def _offered(group: NodeGroup) -> _Offered:
    known = group.allocatable
    assert known.cpu_millis is not None
    assert known.memory is not None
    assert known.ephemeral_storage is not None
    return _Offered(known.cpu_millis, known.memory, known.ephemeral_storage)


def _cpu(millis: float) -> str:
    return f"{max(100, int(millis))}m"


def _mebi(size: float) -> str:
    return f"{max(1, int(size) // 2**20)}Mi"
