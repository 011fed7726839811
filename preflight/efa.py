"""EFA: Elastic Fabric Adapter on the nodes, and what has to come together for it."""

from collections.abc import Iterator

from components.efa import UNKNOWN_CARDS
from components.infrastructure import NodeGroup
from components.resolved import Workload
from preflight.placement_nodes import setting
from preflight.rule import Facts, Finding, Path, Remedy, Rule, workload_path
from stacks.config import StackConfig

_PLUGIN = "efaDevicePlugin"


def _asked(facts: Facts) -> Iterator[NodeGroup]:
    """Groups of this stack file that say `efa: true`."""
    config: StackConfig = facts.inputs.config
    return (facts.stack.node_groups[name] for name, one in config.node_groups.items() if one.efa)


def _spanning(facts: Facts) -> Iterator[Workload]:
    return (one for one in facts.workloads if one.group_size > 1)


def _types(facts: Facts) -> Iterator[Finding]:
    for group in _asked(facts):
        path: Path = ("nodeGroups", group.name, "efa")
        without = [one.name for one in group.instance_types if not one.efa_interfaces]
        counts = {one.efa_interfaces for one in group.instance_types if one.efa_interfaces}
        unknown = [one.name for one in group.instance_types if one.name in UNKNOWN_CARDS]
        if without:
            problem = f"{' and '.join(without)} has no Elastic Fabric Adapter"
        elif not group.instance_types:
            problem = f"the instance type of {group.name} is not known, and with it the number of its adapters"
        elif len(counts) > 1:
            numbers = " and ".join(str(one) for one in sorted(counts))
            problem = f"{' and '.join(group.instance_type_names)} have {numbers} adapters, and a launch template has one number"
        elif unknown and group.created:
            problem = f"which network cards of {unknown[0]} take EFA interfaces is not known here, so there is no launch template for it"
        else:
            continue
        yield Finding(
            path=path,
            message=problem,
            remedies=(setting(path, False), Remedy(text="use one instance type with EFA, such as p5.48xlarge")),
        )


def _plugin(facts: Facts) -> Iterator[Finding]:
    if _PLUGIN in facts.stack.operators:
        return
    for group in _asked(facts):
        if any(one.node_group.name == group.name for one in _spanning(facts)):
            path: Path = ("nodeGroups", group.name, "efa")
            yield Finding(
                path=path,
                message=(
                    f"pods on {group.name} request vpc.amazonaws.com/efa, and the platform section doesn't mention the plugin that "
                    "offers it"
                ),
                remedies=(
                    Remedy(
                        text=f"set platform.{_PLUGIN}: {{}}, or {{install: false}} where the cluster has it",
                        changes=((("platform", _PLUGIN), {}),),
                    ),
                ),
            )


def _one_zone(facts: Facts) -> Iterator[Finding]:
    for group in _asked(facts):
        eks = group.eks
        if eks is None or not group.efa_interfaces or (group.zones and len(group.zones) == 1):
            continue
        known = f"zones {', '.join(group.zones)}" if group.zones else f"{len(eks.subnet_ids)} subnets"
        if not group.zones and len(eks.subnet_ids) == 1:
            continue
        yield Finding(
            path=("nodeGroups", group.name, "zones" if group.zones else "subnetIds"),
            message=(
                f"{group.name} has EFA and {known}: its nodes are in one placement group, which is in one zone, and EFA reaches no other"
            ),
            remedies=(Remedy(text="give subnets of one zone, and that zone in zones"),),
            severity=None if group.zones else "warning",
        )


def _image(facts: Facts) -> Iterator[Finding]:
    for workload in _spanning(facts):
        engine = workload.engine
        if workload.node_group.efa_interfaces and engine.name == "vllm" and engine.image is None:
            yield Finding(
                path=workload_path(workload, "engine", "version"),
                message=(
                    f"the image {engine.REPOSITORY} has no libfabric and no NCCL plugin for EFA: the nodes of {workload.node_group.name} "
                    "have EFA, and NCCL falls back to TCP"
                ),
                remedies=(
                    Remedy(
                        text="give engine.image: one with them, such as AWS's public.ecr.aws/deep-learning-containers/vllm, or your own"
                    ),
                ),
            )


def _unused(facts: Facts) -> Iterator[Finding]:
    for workload in _spanning(facts):
        group = workload.node_group
        have = min((one.efa_interfaces for one in group.instance_types), default=0)
        if have and not group.efa_interfaces:
            yield Finding(
                path=("nodeGroups", group.name),
                message=(
                    f"the pods of a copy of {workload.name} talk over TCP, and {' or '.join(group.instance_type_names)} has {have} "
                    f"EFA adapter{'s' if have > 1 else ''}"
                ),
                remedies=(
                    Remedy(text=f"set nodeGroups.{group.name}.efa: true, with an image that has EFA's libraries"),
                ),
            )


def _locked(facts: Facts) -> Iterator[Finding]:
    for workload in _spanning(facts):
        group = workload.node_group
        if group.efa_interfaces and not group.created:
            yield Finding(
                path=workload_path(workload, "nodeGroup"),
                message=(
                    f"EFA locks memory, and pods without root get the limit of their node: on {group.name} it must be unlimited; "
                    "check with: kubectl exec <a pod there> -- sh -c 'ulimit -l'"
                ),
            )


RULES = (
    Rule(
        code="EFA001",
        severity="error",
        title="Nodes with efa have adapters",
        why="EC2 refuses the launch (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/efa.html, supported instance types; "
        "catalog/data/instances.json), and pods that request adapters stay Pending.",
        check=_types,
    ),
    Rule(
        code="EFA002",
        severity="error",
        title="The EFA device plugin offers the adapters",
        why="No EKS image has it (https://docs.aws.amazon.com/eks/latest/userguide/device-management-efa.html): without it pods stay "
        "Pending, Insufficient vpc.amazonaws.com/efa.",
        check=_plugin,
    ),
    Rule(
        code="EFA003",
        severity="error",
        title="Nodes with EFA are in one zone",
        why="A placement group of strategy cluster is in one zone "
        "(https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/placement-strategies.html), and EFA traffic can't leave it. A warning "
        "where the zones of several subnets are unknown.",
        check=_one_zone,
    ),
    Rule(
        code="EFA004",
        severity="warning",
        title="The engine's image can use EFA",
        why="NCCL needs aws-ofi-nccl and libfabric in the image; vLLM's own image lacks EFA's libraries "
        "(https://github.com/vllm-project/vllm/issues/55635, open on 2026-09-08), and NCCL then says NET/Socket and goes on.",
        check=_image,
    ),
    Rule(
        code="EFA005",
        severity="notice",
        title="Copies that span nodes use the nodes' EFA",
        why="EFA bypasses the kernel and the CPU (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/efa.html). Pipeline parallelism "
        "sends far less than tensor parallelism, and may do with TCP.",
        check=_unused,
    ),
    Rule(
        code="EFA006",
        severity="notice",
        title="Pods may lock memory for EFA",
        why='Pod Security "restricted" forbids the capability IPC_LOCK, which would have no effect in a process without root anyway; '
        "Kubernetes has no field for the limit. Nodes of this stack get it (components/efa.py); of others nothing is known here.",
        check=_locked,
    ),
)
