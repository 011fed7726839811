"""KSV030-KSV033: InferenceServices whose copy spans two nodes, by KServe's `workerSpec`: what has to be there for it."""

from collections.abc import Iterator

from components import kserve_worker
from components.resolved import Workload
from components.resolved_kserve import has_worker
from preflight.multi_node import spans
from preflight.parallelism_shape import other_sizes, size_path
from preflight.rule import Facts, Finding, Path, Remedy, Rule, workload_path

_OPERATOR = "kserve"
_FIRST = "v0.21.0"
_MENDED = (0, 21)
_FLAWS = (
    ((0, 20), "deletes the worker's Deployment as soon as it has made it (kserve#6113): the leader waits for ever"),
    (
        (0, 16),
        "never says Ready of two Deployments (kserve#5703): pulumi up fails at its timeout, although the pods serve",
    ),
)
"""Since which release, newest first, and what is wrong with a worker in it."""
_OWN_KEYS = (
    "runtime",
    "autoscaling",
    "canaryTrafficPercent",
    "containerConcurrency",
    "timeoutSeconds",
    "storageSecret",
)
_KEPT_BY_LLM = frozenset({"storageSecret"})


def workers(facts: Facts) -> Iterator[Workload]:
    """The InferenceServices with more than one pod for a copy."""
    return (one for one in facts.workloads if has_worker(one))


def _version(facts: Facts) -> Iterator[Finding]:
    operator = facts.stack.operators.get(_OPERATOR)
    flaw = next((why for since, why in _FLAWS if operator and since <= _numbers(operator.version) < _MENDED), None)
    if operator is None or flaw is None:
        return
    path: Path = ("platform", _OPERATOR)
    for workload in workers(facts):
        yield Finding(
            path=workload_path(workload, "kind"),
            message=f"a copy of {workload.name} has {workload.group_size} pods, and KServe {operator.version} {flaw}",
            remedies=(
                *llm_inference_service(workload, facts),
                *leader_worker_set(workload, facts),
                Remedy(
                    text=f"install KServe {_FIRST} or newer yourself, and set platform.{_OPERATOR}: {{install: false, version: {_FIRST}}}",
                    changes=(((*path, "version"), _FIRST), ((*path, "install"), False)),
                ),
            ),
        )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.removeprefix("v").split(".")))


def leader_worker_set(workload: Workload, facts: Facts) -> Iterator[Remedy]:
    """The kind whose groups restart and roll out as one."""
    if not spans(workload) or (workload.volume is None and workload.model.storage_uri):
        return
    operator: Path = ("platform", "leaderWorkerSet")
    installed = operator[1] in facts.stack.operators
    kind = ((workload_path(workload, "kind"), "LeaderWorkerSet"),)
    dropped = tuple((workload_path(workload, key), None) for key in _OWN_KEYS)
    yield Remedy(
        text="set kind: LeaderWorkerSet" + ("" if installed else " (and platform.leaderWorkerSet: {})"),
        changes=(*kind, *dropped, *(() if installed else ((operator, {}),))),
    )


def llm_inference_service(workload: Workload, facts: Facts) -> Iterator[Remedy]:
    """KServe's own kind with a LeaderWorkerSet below it, where a node is a stage."""
    size, operator = workload.parallelism, facts.stack.operators.get(_OPERATOR)
    stages = size.pipeline == workload.group_size and size.data == 1
    if workload.engine.name != "vllm" or not stages or workload.max_surge or operator is None:
        return
    flag: Path = ("platform", _OPERATOR, "llmInferenceServices")
    groups: Path = ("platform", "leaderWorkerSet")
    needed = (
        *(((flag, True),) if operator.settings["llmInferenceServices"] == "false" else ()),
        *(((groups, {}),) if groups[1] not in facts.stack.operators else ()),
    )
    kind = ((workload_path(workload, "kind"), "LLMInferenceService"),)
    dropped = tuple((workload_path(workload, key), None) for key in _OWN_KEYS if key not in _KEPT_BY_LLM)
    also = " and ".join(f"{'.'.join(map(str, path))}: {'true' if value is True else '{}'}" for path, value in needed)
    yield Remedy(
        text="set kind: LLMInferenceService" + (f" (and {also})" if also else ""),
        changes=(*kind, *dropped, *needed),
    )


def _engine(facts: Facts) -> Iterator[Finding]:
    for workload in workers(facts):
        if not spans(workload):
            yield Finding(
                path=workload_path(workload, "engine", "name"),
                message=(
                    f"copies of engine {workload.engine.name} aren't offered over several nodes, and a copy of {workload.name} needs "
                    f"{workload.group_size}"
                ),
                remedies=(
                    *other_sizes(workload),
                    Remedy(text="use engine vllm, or a node group whose nodes have enough GPUs for a whole copy"),
                ),
            )


def _pods(facts: Facts) -> Iterator[Finding]:
    for workload in workers(facts):
        size, pods = workload.parallelism, workload.group_size
        if pods != kserve_worker.PODS:
            problem = (
                f"a copy of {workload.name} needs {pods} nodes, and the pods of KServe's worker Deployment have no number of their own: "
                f"only with {kserve_worker.PODS} nodes does the worker know its rank"
            )
        elif (counted := size.tensor * size.pipeline) != size.ranks:
            problem = (
                f"KServe counts tensor {size.tensor} x pipeline {size.pipeline} = {counted} GPUs for a copy of {workload.name}, which "
                f"needs {size.ranks}: it would make no worker"
            )
        else:
            continue
        axis = "data" if size.data > 1 else "pipeline" if size.pipeline > 1 else "tensor"
        yield Finding(
            path=size_path(workload, axis),
            message=problem,
            remedies=(
                *llm_inference_service(workload, facts),
                *leader_worker_set(workload, facts),
                Remedy(text="use nodes with more GPUs"),
            ),
        )


def _storage(facts: Facts) -> Iterator[Finding]:
    for workload in workers(facts):
        if workload.volume is None:
            name = workload.model.name
            yield Finding(
                path=workload_path(workload, "model"),
                message=(
                    f"a copy of {workload.name} spans nodes, for which KServe's webhook takes weights from pvc:// and oci:// only, and "
                    "Pod Security restricted refuses what it makes of oci://"
                ),
                remedies=(
                    Remedy(
                        text=f"give models.{name} a volume that several nodes can mount instead, such as storage: efs"
                    ),
                ),
            )


READ = "kserve 1fb7810 (v0.20.0), read 2026-11-23: "
CODE = f"{READ}pkg/controller/v1beta1/inferenceservice"
WEBHOOK = f"{READ}pkg/apis/serving/v1beta1/inference_service_validation.go, validateMultiNodeVariables"

RULES = (
    Rule(
        code="KSV030",
        severity="error",
        title="KServe can run the worker of a copy that spans nodes",
        why="v0.20.0 looks for the Deployments of former canaries at every reconciliation, and takes the worker's for one "
        f"({CODE}/components/predictor.go, reconcileCanaryDeployments; https://github.com/kserve/kserve/issues/6113). v0.16.0 to v0.19.0 "
        "compare two reasons in one string with NewReplicaSetAvailable (pkg/apis/serving/v1beta1/inference_service_status.go, "
        "PropagateRawStatus and getDeploymentCondition; https://github.com/kserve/kserve/pull/5703). v0.21.0 came from the main branch of "
        "2026-09-08 (kserve#6160), which had both changes (kserve#5899 read at 3ec1e0f); its own code wasn't read. Allow this rule where "
        "your release has them.",
        check=_version,
    ),
    Rule(
        code="KSV031",
        severity="error",
        title="The engine of an InferenceService that spans nodes is vLLM",
        why="Only vLLM's processes can be told of each other by arguments (--nnodes, --node-rank, --master-addr, --headless).",
        check=_engine,
    ),
    Rule(
        code="KSV032",
        severity="error",
        title="An InferenceService spans two nodes at most",
        why=f"Its workers are a Deployment, whose pods differ in nothing ({CODE}/reconcilers/deployment, createRawWorkerDeployment), and "
        "vLLM wants each node's rank; KServe's own runtime uses Ray, which vLLM's releases don't bring. The number of pods is "
        f"tensor x pipeline, divided by the worker's GPUs ({CODE}/components/predictor.go, computeRayNodeAndGPUs).",
        check=_pods,
    ),
    Rule(
        code="KSV033",
        severity="error",
        title="An InferenceService that spans nodes has its weights in a volume",
        why=f"{WEBHOOK}. What comes of oci://: KSV015; oci+native:// isn't oci:// to this webhook.",
        check=_storage,
    ),
)
