"""What a reviewer wants to know of a stack: problems, fit, placement, cost and a request that works. Pure data, from the resolved stack."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from components.resolved import Stack, Workload
from components.resolved_ray import updates_beside, upgrade_strategy
from components.service_address import service_name, service_port
from components.spec import GIB
from preflight.placement_nodes import nodes_needed, nodes_now
from preflight.suggestions_trial import Suggestion
from preview.report_cost import Costs, costs
from stacks.problem import Problem
from stacks.totals import Totals, totals, workload_cost


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Memory of one GPU of a workload, in GiB; None where nothing could be computed."""

    workload: str
    model: str
    engine: str
    gpus: str
    total_gib: float | None
    weights_gib: float | None
    overhead_gib: float | None
    kv_gib: float | None
    kv_range_gib: tuple[float, float] | None
    free_gib: float | None
    """Outside the engine's budget: total less total x utilization."""
    max_model_len: int | None
    concurrency: float | None
    basis: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """Where a workload's pods go and what one requests."""

    workload: str
    pods: int
    node_group: str
    node: str
    requests: str
    nodes: str
    startup: str
    startup_basis: str
    update: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything but the resource tree."""

    stack: str
    namespace: str
    cluster: str
    problems: tuple[Problem, ...]
    fits: tuple[Fit, ...]
    placements: tuple[Placement, ...]
    costs: Costs
    workload_usd: dict[str, float | None]
    totals: Totals
    requests: dict[str, str]
    suggestions: Mapping[str, Sequence[Suggestion]]
    """By workload."""
    no_suggestions: str
    """Why none were looked for; empty where they were."""

    @property
    def failed(self) -> bool:
        """Some problem is an error."""
        return any(one.severity == "error" for one in self.problems)

    def as_json(self) -> dict[str, Any]:
        """As JSON-ready data."""
        return {
            "stack": self.stack,
            "namespace": self.namespace,
            "cluster": self.cluster,
            "problems": [one.as_json() for one in self.problems],
            "fit": [asdict(one) for one in self.fits],
            "placement": [asdict(one) for one in self.placements],
            "cost": {
                "nodeGroups": [asdict(one) for one in self.costs.groups],
                "workloads": [asdict(one) for one in self.costs.workloads],
                "workloadUsdPerHour": self.workload_usd,
                "totals": {
                    **self.totals.as_output(),
                    "usdPerHourNow": _rounded(self.costs.own.now),
                    "idleUsdPerHourNow": _rounded(self.costs.idle_usd),
                },
            },
            "suggestions": {name: [one.as_json() for one in found] for name, found in self.suggestions.items()},
            "noSuggestions": self.no_suggestions,
            "requests": self.requests,
        }


def report(
    stack: Stack,
    problems: Sequence[Problem],
    suggestions: Mapping[str, Sequence[Suggestion]] | None = None,
    no_suggestions: str = "",
) -> Report:
    """The report of a resolved stack with the problems that were found in it, and suggestions with why there are none."""
    workloads = list(stack.workloads.values())
    by_group: dict[str, list[Workload]] = {}
    for one in workloads:
        by_group.setdefault(one.node_group.name, []).append(one)
    needed = {name: nodes_needed(stack.node_groups[name], together) for name, together in by_group.items()}
    now = {name: nodes_now(group, by_group.get(name, ())) for name, group in stack.node_groups.items()}
    cluster = stack.cluster
    return Report(
        stack=stack.name,
        namespace=stack.namespace,
        cluster=f"{cluster.provider} {cluster.name}" + (f" in {cluster.region}" if cluster.region else ""),
        problems=tuple(problems),
        fits=tuple(_fit(one) for one in workloads),
        placements=tuple(_placement(one, needed[one.node_group.name], stack) for one in workloads),
        costs=costs(stack, by_group, now),
        workload_usd={one.name: workload_cost(one) for one in workloads},
        totals=totals(stack),
        requests={one.name: curl(one) for one in workloads},
        suggestions=suggestions or {},
        no_suggestions=no_suggestions,
    )


def curl(workload: Workload) -> str:
    """Two shell commands that ask a deployed workload something, from any machine with kubectl."""
    port, service = service_port(workload), service_name(workload)
    local = port if port > 1023 else workload.engine.PORT  # lower ones need root
    model = workload.engine.client_model(workload.launch)
    url = f"http://localhost:{local}{workload.engine.API_PATH}/chat/completions"
    return (
        f"kubectl -n {workload.namespace} port-forward service/{service} {local}:{port} &\n"
        f"curl --retry 5 --retry-connrefused {url} -H 'Content-Type: application/json' \\\n"
        f'  -d \'{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello!"}}], "max_tokens": 50}}\''
    )


def _fit(workload: Workload) -> Fit:
    memory, size = workload.memory, workload.parallelism
    shape = " x ".join(
        f"{name}{count}" for name, count in (("TP", size.tensor), ("PP", size.pipeline), ("DP", size.data)) if count > 1
    )
    group = workload.node_group
    fixed: dict[str, Any] = {
        "workload": workload.name,
        "model": workload.model.id,
        "engine": f"{workload.engine.name} {workload.engine.version}",
        "gpus": f"{size.ranks} x {group.gpu_name or 'unknown GPU'}{f' ({shape})' if shape else ''}",
    }
    if memory is None:
        unknown = dict.fromkeys(
            (
                "total_gib",
                "weights_gib",
                "overhead_gib",
                "kv_gib",
                "kv_range_gib",
                "free_gib",
                "max_model_len",
                "concurrency",
            )
        )
        known = workload.model.architecture is not None and workload.node_group.gpu is not None
        why = (
            f"there is no estimate for {workload.engine.name} {workload.engine.version} with these options"
            if known
            else "the GPU or the model's architecture isn't in the catalogue"
        )
        return Fit(**fixed, **unknown, basis=f"unknown: {why}")
    return Fit(
        **fixed,
        total_gib=round(memory.total_gib, 2),
        weights_gib=round(memory.weights_gib, 2),
        overhead_gib=round(memory.non_torch_gib + memory.activation_gib + memory.cudagraph_gib, 2),
        kv_gib=round(memory.kv_gib, 2),
        kv_range_gib=(round(memory.kv_gib_low, 2), round(memory.kv_gib_high, 2)) if memory.extrapolated else None,
        free_gib=round(memory.total_gib - memory.budget_gib, 2),
        max_model_len=memory.max_model_len,
        concurrency=round(memory.max_concurrency, 1),
        basis=memory.basis,
    )


def _placement(workload: Workload, needed: int | None, stack: Stack) -> Placement:
    group, pod = workload.node_group, workload.resources
    types = " or ".join(group.instance_type_names) or f"{group.gpus_per_node} x {group.gpu_name}"
    start = workload.startup
    down = "one copy at a time" if workload.replicas > 1 else f"down for up to {_minutes(workload.replace_seconds)}"
    return Placement(
        workload=workload.name,
        pods=workload.pods,
        node_group=group.name,
        node=types + (" spot" if group.eks and group.eks.spot else ""),
        requests=(
            f"{pod.gpus} GPU, {pod.cpu_millis / 1000:g} CPU, {pod.memory / GIB:g} GiB memory, {pod.ephemeral_storage / GIB:.0f} GiB disk"
        ),
        nodes=f"{'unknown' if needed is None else needed} of {group.max_nodes} nodes",
        startup=f"up to {_minutes(start.budget)}",
        startup_basis=start.basis,
        update=_update(workload, stack, down),
    )


def _update(workload: Workload, stack: Stack, in_place: str) -> str:
    strategy = upgrade_strategy(workload, stack.workloads)
    if strategy is None:
        return "surge: new copy first" if workload.max_surge else f"in place: {in_place}"
    if updates_beside(workload, stack.workloads):
        return "second Ray cluster first"
    down = f"down for up to {_minutes(workload.replace_seconds)}"
    return f"all pods at once: {down}" if strategy == "Recreate" else f"by hand: {down}"


def _rounded(dollars: float | None) -> float | None:
    return None if dollars is None else round(dollars, 4)


def _minutes(seconds: int) -> str:
    return f"{-(-seconds // 60)} min"
