"""KSV010-KSV013, KSV017: KServe's storage: credentials, the Hub's token, names that clients send, room for the most replicas."""

from collections.abc import Iterator

from components.engines.huggingface import HuggingFace
from components.engines.vllm_engine import VllmEngine
from components.kserve_spec import storage_uri
from components.resolved import Workload
from preflight.kserve import services, stored
from preflight.placement_nodes import setting
from preflight.rule import Facts, Finding, Remedy, Rule, workload_path

_TOKEN_KEY = "HF_TOKEN"


def _credentials(facts: Facts) -> Iterator[Finding]:
    for workload in stored(facts):
        if not storage_uri(workload).startswith("s3://") or workload.aws_role or workload.settings.storage_secret:
            continue
        yield Finding(
            path=workload_path(workload, "awsRole"),
            message=f"KServe's storage initializer has no credentials for {storage_uri(workload)}: its pod never starts",
            remedies=(
                *(
                    (Remedy(text="set awsRole: {arn: ...} to a role that may s3:GetObject and s3:ListBucket there"),)
                    if facts.stack.cluster.provider == "eks"
                    else ()
                ),
                Remedy(text="set storageSecret to a Secret with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
            ),
        )


def _token(facts: Facts) -> Iterator[Finding]:
    for workload in stored(facts):
        token = workload.token_secret
        if token is None or not workload.model.gated or token[1] == _TOKEN_KEY:
            continue
        yield Finding(
            path=workload_path(workload, "model"),
            message=(
                f"{workload.model.id} is gated, and KServe's storage initializer reads the key {_TOKEN_KEY} of Secret {token[0]}, "
                f"while huggingFaceToken names its key {token[1]}"
            ),
            remedies=(
                Remedy(
                    text=f"add the token to the Secret under {_TOKEN_KEY}, and set huggingFaceToken.key: {_TOKEN_KEY}"
                ),
                Remedy(text=f"give models.{workload.model.name} a volume, which a Job fills with the token"),
            ),
        )


def _served(facts: Facts) -> Iterator[Finding]:
    for workload in stored(facts):
        names = workload.engine.served_model_name if isinstance(workload.engine, VllmEngine) else None
        if names and workload.name not in names:
            path = workload_path(workload, "engine", "servedModelName")
            alone = isinstance(workload.engine, HuggingFace)
            yield Finding(
                path=path,
                message=(
                    f"clients that send KServe's name of the service, {workload.name}, get an error: the engine answers to "
                    f"{', '.join(names)}"
                ),
                # The Hugging Face runtime answers to one name.
                remedies=(setting(path, [workload.name] if alone else [*names, workload.name]),),
            )


def _most(facts: Facts) -> Iterator[Finding]:
    for workload, settings in services(facts):
        scaling, group = settings.autoscaling, workload.node_group
        if scaling is None or not group.units_per_node:
            continue
        others = sum(
            _most_gpus(one)
            for one in facts.workloads
            if one.node_group.name == group.name and one.name != workload.name
        )
        there = group.max_nodes * group.units_per_node
        each = workload.resources.gpus
        room = (there - others) // each if each else scaling.max_replicas
        if scaling.max_replicas > room >= max(scaling.min_replicas, 1):
            path = workload_path(workload, "autoscaling", "maxReplicas")
            yield Finding(
                path=path,
                message=(
                    f"{scaling.max_replicas} replicas take {scaling.max_replicas * each} GPUs, and {group.name} has {there} at its "
                    f"{group.max_nodes} nodes, {others} of them for other workloads at their most: {scaling.max_replicas - room} "
                    "stay Pending"
                ),
                remedies=(setting(path, room),),
            )


def _most_gpus(workload: Workload) -> int:
    """GPUs of all copies that its autoscaler may ask for."""
    scaling = getattr(workload.settings, "autoscaling", None)
    each = workload.resources.gpus * workload.group_size
    return workload.gpus if scaling is None else scaling.max_replicas * each


def _adopted(facts: Facts) -> Iterator[Finding]:
    operator = facts.stack.operators.get("kserve")
    if operator is None or operator.charts:
        return
    for workload, _ in services(facts):
        if storage_uri(workload).startswith(("s3://", "hf://")) and not workload.cached:
            yield Finding(
                path=workload_path(workload, "model"),
                message=(
                    f"KServe isn't this stack's, and the init container that copies {storage_uri(workload)} has its security context "
                    "from the ClusterStorageContainer of KServe's chart alone: without it Pod Security restricted refuses every pod of "
                    f"{workload.name}"
                ),
                remedies=(
                    Remedy(
                        text=f"look: {_LOOK} must have allowPrivilegeEscalation: false and capabilities: {{drop: [ALL]}}; then allow "
                        "KSV017 for this workload"
                    ),
                ),
            )


_LOOK = "kubectl get clusterstoragecontainer default -o jsonpath='{.spec.container.securityContext}'"

RULES = (
    Rule(
        code="KSV010",
        severity="error",
        title="Weights in S3 come with credentials",
        why="The storage initializer is an init container: without credentials it fails, and the engine never starts (kserve "
        "pkg/webhook/admission/pod/storage_initializer_injector.go and pkg/credentials/s3, 1fb7810 (v0.20.0), read 2026-11-23). For a "
        "public bucket allow this rule.",
        check=_credentials,
    ),
    Rule(
        code="KSV011",
        severity="error",
        title="KServe finds the token of gated models",
        why="Of the Secrets that the ServiceAccount lists KServe hands on the key HF_TOKEN alone (kserve pkg/credentials/hf/hf_secret.go, "
        "1fb7810 (v0.20.0), read 2026-11-23).",
        check=_token,
    ),
    Rule(
        code="KSV012",
        severity="warning",
        title="The engine answers to the name of its service",
        why="KServe's own runtimes start vLLM with --served-model-name={{.Name}}, and clients written for KServe send the service's name "
        "(kserve config/runtimes/kserve-vllmserver.yaml, 1fb7810 (v0.20.0), read 2026-11-23).",
        check=_served,
    ),
    Rule(
        code="KSV013",
        severity="warning",
        title="The nodes have GPUs for the most replicas",
        why="The autoscaler asks for them, and the scheduler leaves the pods Pending: Insufficient nvidia.com/gpu.",
        check=_most,
    ),
    Rule(
        code="KSV017",
        severity="notice",
        title="An adopted KServe copies weights in a container that restricted takes",
        why="The controller's own container for the copy has no security context; the chart kserve-resources brings one, KServe's plain "
        "manifests don't (kserve 1fb7810 (v0.20.0), pkg/webhook/admission/pod/storage_initializer_injector.go and charts/kserve-resources, "
        "read 2026-11-22).",
        check=_adopted,
    ),
)
