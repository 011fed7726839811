"""POD: /dev/shm, and who offers the nodes' GPUs to pods."""

from collections.abc import Iterator

from components.device_plugin_values import needs_device_plugin
from components.engines.vllm_engine import VllmEngine
from components.infrastructure import NodeGroup
from components.resolved import Workload
from components.spec import GIB, MIB, mebibytes
from preflight.placement_nodes import setting
from preflight.rule import Facts, Finding, Remedy, Rule, workload_path
from stacks.resolve_pods import BROADCAST_QUEUE, RESPONSE_QUEUE, least_shm

_FLAGS = MIB
"""A ring buffer has some bytes of flags beside its chunks, so a /dev/shm of exactly its size is too small."""


def _shm_in_memory(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        pod = workload.resources
        if pod.shm < pod.memory:
            continue
        more = -(-(pod.shm + 4 * GIB) // GIB) * GIB
        yield Finding(
            path=workload_path(workload, "resources", "shm"),
            message=(
                f"/dev/shm of {mebibytes(pod.shm)} is part of the pod's memory limit of {mebibytes(pod.memory)}, "
                "and leaves nothing for the engine"
            ),
            remedies=(setting(workload_path(workload, "resources", "memory"), mebibytes(more)),),
        )


def _shm_for_queues(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        have, need = workload.resources.shm, least_shm(workload.parallelism, workload.group_size)
        if (
            not isinstance(workload.engine, VllmEngine)
            or not need
            or "VLLM_MQ_MAX_CHUNK_BYTES_MB" in workload.env
            or have >= need + _FLAGS
        ):
            continue
        largest = max(BROADCAST_QUEUE, RESPONSE_QUEUE)
        never = have <= largest
        how = f"one queue alone takes {mebibytes(largest)}" if never else "they fill up while it runs (SIGBUS)"
        path = workload_path(workload, "resources", "shm")
        yield Finding(
            path=path,
            message=(
                f"vLLM's queues between {workload.resources.gpus} ranks take {mebibytes(need)} of /dev/shm, "
                f"which has {mebibytes(have)}; {how}"
            ),
            remedies=(setting(path, mebibytes(-(-(need + _FLAGS) // GIB) * GIB)), *_with_memory(workload, need)),
            severity=None if never else "warning",
        )


def _with_memory(workload: Workload, need: int) -> Iterator[Remedy]:
    """Both values, where the larger /dev/shm alone would leave the engine too little memory."""
    shm = -(-(need + _FLAGS) // GIB) * GIB
    memory = workload.resources.memory + shm
    keys = (("shm", mebibytes(shm)), ("memory", mebibytes(memory)))
    yield Remedy(
        text=f"set resources.shm: {mebibytes(shm)} and resources.memory: {mebibytes(memory)}",
        changes=tuple((workload_path(workload, "resources", key), value) for key, value in keys),
    )


def _plugin(facts: Facts) -> Iterator[Finding]:
    stack = facts.stack
    if stack.device_plugin is not None or stack.referenced_device_plugin:
        return
    used = {workload.node_group.name for workload in facts.workloads}
    groups = [
        group
        for group in stack.node_groups.values()
        if group.eks and (group.created or group.name in used) and needs_device_plugin([group])
    ]
    if not groups:
        return
    names = ", ".join(group.name for group in groups)
    path = ("platform", "nvidiaDevicePlugin")
    yield Finding(
        path=path,
        message=(
            f"nothing in this stack installs a device plugin, and the AL2023 images of {names} have none: unless "
            "another stack or the GPU "
            "Operator installs it, their nodes offer no nvidia.com/gpu and all pods stay Pending"
        ),
        remedies=(
            Remedy(
                text=(
                    "set platform.nvidiaDevicePlugin: {}, or ami: bottlerocket for the node groups, which has one "
                    "built in"
                ),
                changes=((path, {}),),
            ),
        ),
    )


def _bottlerocket(facts: Facts) -> Iterator[Finding]:
    stack = facts.stack
    groups = list(stack.node_groups.values())
    bundled = [group for group in groups if group.eks and not needs_device_plugin([group])]
    for group in bundled:
        if group.sharing:
            yield _shared(group)
    if stack.device_plugin and stack.referenced_device_plugin:
        yield Finding(
            path=("platform", "nvidiaDevicePlugin"),
            message=(
                "the stack of cluster.stackReference installs the device plugin already: two plugins offer every "
                "GPU twice over"
            ),
            remedies=(_without(),),
            severity="warning",
        )
    elif stack.device_plugin and groups and len(bundled) == len(groups):
        yield Finding(
            path=("platform", "nvidiaDevicePlugin"),
            message=(
                f"all node groups ({', '.join(group.name for group in groups)}) are Bottlerocket, whose device "
                "plugin is built in: the chart's runs nowhere"
            ),
            remedies=(_without(),),
        )


def _without() -> Remedy:
    return Remedy(text="leave platform.nvidiaDevicePlugin out", changes=((("platform", "nvidiaDevicePlugin"), None),))


def _shared(group: NodeGroup) -> Finding:
    way = group.sharing.way if group.sharing else ""
    remedies = [
        Remedy(
            text=(
                "share the GPUs in Bottlerocket's own settings (settings.kubelet-device-plugins.nvidia) in the "
                "stack that makes the nodes"
            )
        )
    ]
    if group.created:
        remedies.insert(0, setting(("nodeGroups", group.name, "ami"), "al2023"))
    return Finding(
        path=("nodeGroups", group.name, "sharing"),
        message=(
            f"{way} of {group.name} would never be set up: Bottlerocket's built-in device plugin is configured by "
            "the node's user data, which this "
            f"program doesn't write, so a node offers {group.gpus_per_node} units and not {group.units_per_node}"
        ),
        remedies=tuple(remedies),
        severity="error",
    )


RULES = (
    Rule(
        code="POD008",
        severity="error",
        title="/dev/shm is smaller than the memory limit",
        why="An emptyDir of medium Memory counts against the container's memory limit "
        "(https://kubernetes.io/docs/concepts/storage/volumes/#emptydir): the pod is killed when both together "
        "exceed it.",
        check=_shm_in_memory,
    ),
    Rule(
        code="POD009",
        severity="error",
        title="/dev/shm holds the engine's message queues",
        why="vLLM 0.33.0 makes a queue of 160 MiB for each engine and one of 240 MiB for each worker and stops "
        "when one doesn't fit "
        "(vllm/distributed/device_communicators/shm_broadcast.py lines 242-347, v1/executor/multiproc_executor.py "
        "lines 165-181 and 725; "
        "https://github.com/vllm-project/vllm/pull/50606); older releases die of SIGBUS. A warning where each fits "
        "but not all.",
        check=_shm_for_queues,
    ),
    Rule(
        code="POD010",
        severity="warning",
        title="Somebody installs the device plugin for AL2023 nodes",
        why="The AL2023 NVIDIA image has the driver but no device plugin "
        "(https://docs.aws.amazon.com/eks/latest/userguide/ml-eks-k8s-device-plugin.html; "
        'https://github.com/awslabs/amazon-eks-ami/issues/2342, "Insufficient nvidia.com/gpu"). A warning, since '
        "another stack or the GPU "
        "Operator may install it, which can't be seen here.",
        check=_plugin,
    ),
    Rule(
        code="POD011",
        severity="notice",
        title="Bottlerocket nodes use their own device plugin",
        why="Bottlerocket's NVIDIA images run a device plugin that is configured by settings.kubelet-device-plugins "
        "(https://bottlerocket.dev/en/os/1.54.x/api/settings/kubelet-device-plugins); the chart keeps away from "
        "them. A notice where the chart has "
        "nothing to do, a warning where two stacks install it, an error where sharing was asked for, which only "
        "the settings could do.",
        check=_bottlerocket,
    ),
)
