"""PAR012-PAR014: copies of a model that span several pods, whatever kind of workload runs them."""

from collections.abc import Iterator
from dataclasses import replace

from components.engines.groups import Group
from components.resolved import Workload
from preflight.parallelism_shape import fits, size_key, size_path
from preflight.placement_nodes import setting
from preflight.rule import Facts, Finding, Path, Remedy, Rule, workload_path

_BY_GPUS = frozenset({"InferenceService", "LeaderWorkerSet"})
"""Kinds with as many pods for a copy as its ranks need nodes, however the ranks are divided."""


def spanning(workload: Workload, facts: Facts) -> Iterator[Remedy]:
    """The kind whose copies span nodes, for a workload of one that doesn't and an engine that can."""
    if workload.kind != "Deployment" or not spans(workload):
        return
    operator: Path = ("platform", "leaderWorkerSet")
    changes = ((workload_path(workload, "kind"), "LeaderWorkerSet"),)
    installed = () if "leaderWorkerSet" in facts.stack.operators else ((operator, {}),)
    yield Remedy(
        text="set kind: LeaderWorkerSet, whose copies span nodes"
        + (" (and platform.leaderWorkerSet: {})" if installed else ""),
        changes=changes + installed,
    )


def spans(workload: Workload) -> bool:
    """The engine can run one copy in several pods by itself."""
    alone = Group(size=1, leader="", rank="0", leads=True, port=0, join_seconds=0)
    return workload.engine.group_arguments(alone) is not None


def _even(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        size, pods = workload.parallelism, workload.group_size
        if pods == 1 or workload.kind not in _BY_GPUS:
            continue
        if size.ranks % pods:
            problem = f"{size.ranks} ranks can't be divided evenly over {pods} pods"
        else:
            # A pod holds whole data-parallel engines, or an engine spans whole pods.
            here, engine = size.ranks // pods, size.ranks // size.data
            if not here % engine or not engine % here:
                continue
            problem = f"each of {pods} pods has {here} ranks and each data-parallel engine {engine}: one must be a multiple of the other"
        yield Finding(
            path=size_path(workload, "pipeline" if "pipeline" in workload.engine.PARALLEL_KEYS else "tensor"),
            message=f"{problem} (tensor {size.tensor} x pipeline {size.pipeline} x data {size.data})",
            remedies=(*_other_pods(workload), *_other_stages(workload)),
        )


def _other_pods(workload: Workload) -> Iterator[Remedy]:
    """Numbers of pods that divide the ranks and leave each no more than a node has, up to twice as many, the fewest first."""
    ranks, units = workload.parallelism.ranks, workload.node_group.units_per_node
    if workload.kind != "LeaderWorkerSet":
        return
    for pods in range(2, min(ranks, 2 * workload.group_size) + 1):
        if ranks % pods == 0 and ranks // pods <= units and pods != workload.group_size:
            yield setting(workload_path(workload, "size"), pods, f", each with {ranks // pods} GPUs")


def _other_stages(workload: Workload) -> Iterator[Remedy]:
    """Numbers of pipeline stages that make the ranks a multiple of a node's GPUs."""
    now, units = workload.parallelism, workload.node_group.units_per_node
    each = now.ranks // now.pipeline
    if "pipeline" not in workload.engine.PARALLEL_KEYS or not units:
        return
    for stages in sorted(range(1, 2 * now.pipeline + 1), key=lambda one: abs(one - now.pipeline)):
        if stages != now.pipeline and each * stages % units == 0:
            path = size_path(workload, "pipeline")
            yield Remedy(text=f"set {path[-1]}: {stages}", changes=((path, stages),))


def _across(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        size, here = workload.parallelism, workload.resources.gpus
        if workload.group_size == 1 or here * workload.group_size != size.ranks or here % size.tensor == 0:
            continue
        yield Finding(
            path=size_path(workload),
            message=(
                f"{size_key(workload)} {size.tensor} with {here} GPUs in a pod: every layer exchanges its results twice "
                f"between nodes{_links(workload)}; stages of a pipeline send each token's activations once"
            ),
            remedies=tuple(_inside(workload)),
        )


def _links(workload: Workload) -> str:
    gpu, types = workload.node_group.gpu, workload.node_group.instance_types
    gbps = min((one.network_gbps for one in types if one.network_gbps), default=None)
    if gpu is None or gpu.nvlink_gbs is None or gbps is None:
        return ""
    gpus = workload.node_group.gpus_per_node
    return f", which have {gbps:,.0f} Gbit/s for {gpus} GPUs, and NVLink has {gpu.nvlink_gbs:,.0f} GB/s for each"


def _inside(workload: Workload) -> Iterator[Remedy]:
    """The same ranks with tensor parallelism inside a pod and more stages."""
    now, shape, keys = workload.parallelism, workload.model.architecture, workload.engine.PARALLEL_KEYS
    here = workload.resources.gpus
    if "pipeline" not in keys:
        return
    for tensor in range(min(now.tensor - 1, here), 0, -1):
        product = now.tensor * now.pipeline
        if here % tensor or product % tensor:
            continue
        stages = product // tensor
        if shape is None or (
            fits(shape, replace(now, tensor=tensor), workload.engine) and stages <= shape.num_hidden_layers
        ):
            tensor_path, stage_path = size_path(workload), size_path(workload, "pipeline")
            text = f"set {tensor_path[-1]}: {tensor} and {stage_path[-1]}: {stages}"
            yield Remedy(text=text, changes=((tensor_path, tensor), (stage_path, stages)))


def _zones(facts: Facts) -> Iterator[Finding]:
    for workload in facts.workloads:
        group = workload.node_group
        if workload.group_size == 1 or getattr(workload.settings, "exclusive_topology", None):
            continue
        talk = f"the {workload.group_size} pods of a copy of {workload.name} talk all the time, and"
        path: Path = ("nodeGroups", group.name, "zones")
        if group.zones is None:
            subnets = len(group.eks.subnet_ids) if group.eks else 1
            where = (
                f"nodes of {group.name} start in {subnets} subnets"
                if subnets > 1
                else f"the zones of {group.name} are not given"
            )
            yield Finding(
                path=path,
                message=f"{talk} {where}: they may be in different zones",
                remedies=(Remedy(text=f"give the one zone of all its nodes in nodeGroups.{group.name}.zones"),),
                severity="warning" if subnets > 1 else "notice",
            )
        elif len(group.zones) > 1:
            beyond = "; EFA does not reach other zones at all" if group.efa_interfaces else ""
            yield Finding(
                path=path,
                message=(
                    f"{talk} may land in any of the zones {', '.join(group.zones)}: more latency, and traffic between zones is "
                    f"paid for{beyond}"
                ),
                remedies=(*_zone_each(workload), Remedy(text="use a node group of one zone")),
                severity="error" if group.efa_interfaces else None,
            )


def _zone_each(workload: Workload) -> Iterator[Remedy]:
    if workload.kind == "LeaderWorkerSet":
        label = workload_path(workload, "exclusiveTopology")
        yield setting(label, "topology.kubernetes.io/zone", ", where each zone has nodes for a whole group")


RULES = (
    Rule(
        code="PAR012",
        severity="error",
        title="The ranks of a copy are divided evenly over its pods",
        why='All pods of one group are alike. vLLM exits with "--nnodes .. must evenly divide the total world size (..)" '
        "(engine/arg_utils.py), and a data-parallel engine either has whole nodes or shares one with whole others "
        "(config/parallel.py, nnodes_within_dp).",
        check=_even,
    ),
    Rule(
        code="PAR013",
        severity="warning",
        title="Tensor parallelism stays inside a node",
        why="It works across nodes, slower: two all-reduce operations a layer go over the network. vLLM's advice is tensor parallelism "
        "inside a node and pipeline parallelism between nodes (https://docs.vllm.ai/en/latest/serving/parallelism_scaling/).",
        check=_across,
    ),
    Rule(
        code="PAR014",
        severity="warning",
        title="The pods of a copy are in one zone",
        why="Traffic between zones is slower and paid for, and EFA's own traffic can't leave the subnet's zone "
        "(https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/efa.html, limitations). A notice where the zones are unknown, an error "
        "with EFA.",
        check=_zones,
    ),
)
