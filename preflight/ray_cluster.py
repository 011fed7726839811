"""RAY010, RAY011, RAY014-RAY017: the Ray cluster around the models: operator, joins, CPU and memory, its head."""

from collections import Counter
from collections.abc import Iterable, Iterator

from components.engines.vllm import Vllm
from components.ray_pods import head_account
from components.resolved import Workload
from components.resolved_ray import RayCluster, RayModel, members
from components.spec import GIB, MIB, mebibytes
from preflight.placement_nodes import setting
from preflight.ray_releases import SERVICE, ray_workloads
from preflight.rule import Facts, Finding, Path, Remedy, Rule, workload_path
from stacks.resolve_pods import least_shm

OPERATOR = "kuberay"
_LEAST_STORE = 75 * MIB
"""OBJECT_STORE_MINIMUM_MEMORY_BYTES in ray/_private/ray_constants.py, where Ray refuses to start with less."""
_REPLICA_CPUS = 2
"""Each worker pod runs a replica of the ingress; the first of a copy the model's own: Serve's default of one CPU each."""


def _operator(facts: Facts) -> Iterator[Finding]:
    path: Path = ("platform", OPERATOR)
    spec = facts.inputs.config.platform.kuberay
    for workload, _ in ray_workloads(facts):
        if spec is None:
            yield Finding(
                path=workload_path(workload, "kind"),
                message=f"{workload.name} is a {workload.kind}, and the platform section doesn't mention the KubeRay operator",
                remedies=(
                    Remedy(
                        text=f"set platform.{OPERATOR}: {{}}, or {{install: false, namespace: ...}} where the cluster has it",
                        changes=((path, {}),),
                    ),
                ),
            )
        elif spec.watch_namespaces is not None and workload.namespace not in spec.watch_namespaces:
            watched = [*spec.watch_namespaces, workload.namespace]
            yield Finding(
                path=(*path, "watchNamespaces"),
                message=f"the operator looks after {', '.join(spec.watch_namespaces)}, and {workload.name} is in {workload.namespace}",
                remedies=(setting((*path, "watchNamespaces"), watched),),
            )
            return


def _joins(facts: Facts) -> Iterator[Finding]:
    others = facts.stack.workloads
    for workload, settings in ray_workloads(facts):
        if settings.joins is None:
            continue
        path, own = workload_path(workload, "rayService"), others.get(settings.joins)
        found = isinstance(own.settings, RayModel) and own.kind == SERVICE and own.settings.cluster if own else None
        if not found:
            services = [one.name for one, its in ray_workloads(facts) if one.kind == SERVICE and its.cluster]
            known = f"there are {', '.join(services)}" if services else "there is none"
            yield Finding(
                path=path,
                message=f"{settings.joins} is no RayService workload with a ray section of its own; {known}",
                remedies=tuple(setting(path, one) for one in services),
            )
    for workload, settings in ray_workloads(facts):
        if settings.cluster is None:
            continue
        if (taken := head_account(workload)) in others:
            yield Finding(
                path=("workloads", taken),
                message=f"the head of {workload.name} has a ServiceAccount {taken}, and the workload {taken} has it for its own",
                remedies=(Remedy(text=f"rename the workload {taken}"),),
            )
        names = Counter(one.engine.client_model(one.launch) for one in members(workload, others))
        for one in members(workload, others)[1:]:
            if names[name := one.engine.client_model(one.launch)] > 1:
                key = workload_path(one, "engine", "servedModelName")
                yield Finding(
                    path=key,
                    message=f"two models of the service {workload.name} have the name {name}, by which requests tell them apart",
                    remedies=(setting(key, [one.name]),),
                )


def _cpus(facts: Facts) -> Iterator[Finding]:
    for workload, _ in ray_workloads(facts):
        cpus = -(-workload.resources.cpu_millis // 1000)
        if workload.kind == SERVICE and cpus < _REPLICA_CPUS:
            path = workload_path(workload, "resources", "cpu")
            yield Finding(
                path=path,
                message=(
                    f"a worker pod requests {workload.resources.cpu_millis}m CPU, of which Ray makes {cpus}, and an ingress replica and a "
                    f"model replica reserve one each: the model would wait for ever"
                ),
                remedies=(setting(path, _REPLICA_CPUS),),
            )


def _stores(facts: Facts) -> Iterator[Finding]:
    for workload, settings in ray_workloads(facts):
        queues = least_shm(workload.parallelism, workload.group_size) if isinstance(workload.engine, Vllm) else 0
        need, store = settings.object_store + queues, workload_path(workload, "objectStoreMemory")
        if settings.object_store < _LEAST_STORE:
            yield _too_small(store, settings.object_store)
        if workload.resources.shm < need:
            path = workload_path(workload, "resources", "shm")
            yield Finding(
                path=path,
                message=(
                    f"/dev/shm has {mebibytes(workload.resources.shm)}, and Ray's object store of {mebibytes(settings.object_store)} with "
                    f"vLLM's queues of {mebibytes(queues)} needs {mebibytes(need)}"
                ),
                remedies=(
                    setting(path, mebibytes(-(-need // GIB) * GIB)),
                    Remedy(text="remove shm: it follows from both", changes=((path, None),)),
                ),
            )
        if settings.cluster:
            yield from _head_store(workload, settings.cluster)


def _head_store(workload: Workload, cluster: RayCluster) -> Iterator[Finding]:
    head, path = cluster.head, workload_path(workload, "ray", "head", "objectStoreMemory")
    if head.object_store < _LEAST_STORE:
        yield _too_small(path, head.object_store)
    if head.object_store * 2 > head.memory:
        yield Finding(
            path=path,
            message=f"the object store takes {mebibytes(head.object_store)} of the head's {mebibytes(head.memory)}, more than half: what "
            "is left is too little for control store, dashboard and Serve's controller",
            remedies=(setting(path, "1Gi"),),
        )


def _too_small(path: Path, size: int) -> Finding:
    return Finding(
        path=path,
        message=f"Ray refuses to start with an object store of {size} bytes; it needs {_LEAST_STORE}",
        remedies=(setting(path, "1Gi"),),
    )


def _incremental(facts: Facts) -> Iterator[Finding]:
    for workload, settings in ray_workloads(facts):
        cluster = settings.cluster
        models: Iterable[Workload] = members(workload, facts.stack.workloads)
        if cluster is None or cluster.incremental is None or any(one.settings.autoscaling for one in models):
            continue
        path = workload_path(workload, "ray", "upgradeStrategy")
        yield Finding(
            path=path,
            message=f"KubeRay refuses {cluster.upgrade_strategy} without Ray's autoscaler, which runs where a model has autoscaling",
            remedies=(
                Remedy(
                    text="give the model autoscaling: {minReplicas: .., maxReplicas: .., targetOngoingRequests: ..}",
                ),
            ),
        )


def _head(facts: Facts) -> Iterator[Finding]:
    for workload, settings in ray_workloads(facts):
        if workload.kind != SERVICE or settings.cluster is None or settings.cluster.redis is not None:
            continue
        minutes = -(-(workload.startup.progress_deadline) // 60)
        yield Finding(
            path=workload_path(workload, "ray", "redis"),
            message=f"the state of the Ray cluster is in its head alone: the loss of that pod takes every model of {workload.name} "
            f"down for up to {minutes} minutes, however many copies there are",
            remedies=(Remedy(text="accept it, or name a Redis outside the cluster in ray.redis"),),
        )


_KUBERAY = "ray-project/kuberay 59d663a (v1.7.0)"

RULES = (
    Rule(
        code="RAY010",
        severity="error",
        title="The cluster has the KubeRay operator, and it looks after this namespace",
        why="Without its CRDs the API server refuses the objects; in a namespace that it doesn't watch they stay as they are "
        f"({_KUBERAY}, helm-chart/kuberay-operator/values.yaml, watchNamespace).",
        check=_operator,
    ),
    Rule(
        code="RAY011",
        severity="error",
        title="A model joins a service that exists, and names are free",
        why='build_openai_app refuses two models of one name: "Duplicate models found" (ray 2.60.0, '
        "llm/_internal/serve/core/ingress/builder.py).",
        check=_joins,
    ),
    Rule(
        code="RAY014",
        severity="error",
        title="A worker pod has CPUs for its replicas",
        why="Ray places an actor only where its reservation is free; CPUs are the pod's request, rounded up "
        f"({_KUBERAY}, ray-operator/controllers/ray/common/pod.go, generateRayStartCommand). A replica reserves one CPU by default, and "
        "here each worker pod has one of the ingress (ray 2.60.0, llm/_internal/serve/core/server/llm_server.py, get_deployment_options).",
        check=_cpus,
    ),
    Rule(
        code="RAY015",
        severity="error",
        title="Object stores fit in /dev/shm",
        why="Where /dev/shm is smaller than the object store, Ray puts it on disk, or refuses to start "
        "(ray 2.60.0, _private/services.py, determine_plasma_store_config).",
        check=_stores,
    ),
    Rule(
        code="RAY016",
        severity="error",
        title="An upgrade in steps has the autoscaler",
        why=f'"Ray Autoscaler is required for NewClusterWithIncrementalUpgrade" ({_KUBERAY}, '
        "ray-operator/controllers/ray/utils/validation.go).",
        check=_incremental,
    ),
    Rule(
        code="RAY017",
        severity="notice",
        title="The service outlives its head pod",
        why="Without an external Redis a new head starts with an empty cluster, and KubeRay replaces the workers "
        "(https://docs.ray.io/en/latest/cluster/kubernetes/user-guides/kuberay-gcs-ft.html).",
        check=_head,
    ),
)
