"""KSV040-KSV045: copies of models on the disks of nodes: controller, source, size, disk, nodes, credentials."""

from collections.abc import Iterator

from components.infrastructure import NodeGroup
from components.kserve_spec import storage_uri
from components.local_model_spec import JOB_NAMESPACE, kept, local_models
from components.resolved import Model
from components.resolved_kserve import LOCAL_MODELS_FOLDER
from components.spec import GIB
from preflight.placement_nodes import setting
from preflight.rule import Facts, Finding, Path, Remedy, Rule
from stacks.node_groups import EksNodeGroup
from stacks.resolve_local_models import AGENT_LABEL

_FLAG: Path = ("platform", "kserve", "localModels")
_USABLE = 0.9
"""The kubelet evicts pods when less than 10 % of the node's file system is free: its default for nodefs.available."""


def _key(model: Model) -> Path:
    return ("models", model.name, "localModelCache")


def _without(model: Model) -> Remedy:
    return Remedy(text=f"remove models.{model.name}.localModelCache", changes=((_key(model), None),))


def _controller(facts: Facts) -> Iterator[Finding]:
    operator = facts.stack.operators.get("kserve")
    if operator is None or operator.settings["localModels"] == "true":
        return  # without KServe at all, KSV001 says so
    for found in local_models(facts.stack):
        model = facts.stack.models[found.model]
        yield Finding(
            path=_key(model),
            message=f"nothing says that the cluster has KServe's controller and agent for local models, which keep {found.model} on nodes",
            remedies=(Remedy(text="set platform.kserve.localModels: true", changes=((_FLAG, True),)), _without(model)),
        )


def _source(facts: Facts) -> Iterator[Finding]:
    for model in facts.stack.models.values():
        if not model.local_cache:
            continue
        users = [one for one in facts.workloads if one.model.name == model.name]
        if model.volume:
            problem = f"{model.name} is in volume {model.volume}: KServe mounts that, and makes no copies"
        elif model.storage_uri and not model.storage_uri.startswith("s3://"):
            problem = f"{model.storage_uri} is mounted as it is: KServe makes no copies of it"
        elif users and not any(one.cached for one in users):
            problem = f"{users[0].name} is a {users[0].kind}, which doesn't read KServe's copies"
        else:
            continue
        yield Finding(path=_key(model), message=problem, remedies=(_without(model),))


def _size(facts: Facts) -> Iterator[Finding]:
    for found in local_models(facts.stack):
        if not found.size:
            yield Finding(
                path=("models", found.model, "weightsSize"),
                message=f"the size of {found.model} isn't known, and its LocalModelCache must say it",
                remedies=(Remedy(text="set weightsSize to the bytes of its files, for example 16Gi"),),
            )


def _disk(facts: Facts) -> Iterator[Finding]:
    caches = local_models(facts.stack)
    for group in facts.stack.node_groups.values():
        size = kept(caches, group.name)
        if not size or group.eks is None or not group.created:
            continue
        pods = max(one.resources.ephemeral_storage for one in facts.workloads if one.node_group.name == group.name)
        have, need = group.eks.disk_gib, -(-(size + pods) // GIB)
        if need <= have * _USABLE:
            continue
        path: Path = ("nodeGroups", group.name, "diskSize")
        yield Finding(
            path=path,
            message=(
                f"copies of {size / GIB:.0f} GiB (twice that while a revision changes) and a pod's own {pods / GIB:.0f} GiB don't fit on "
                f"a disk of {have} GiB, on which images lie too and a tenth must stay free"
            ),
            remedies=(setting(path, f"{-(-(need * 10 // 9 + _IMAGES) // 50) * 50}Gi"),),
        )


_IMAGES = 40
"""GiB for images in the remedy: engineering margin of ours."""


def _nodes(facts: Facts) -> Iterator[Finding]:
    for group in facts.stack.node_groups.values():
        if not group.caches_models:
            continue
        if not group.created:
            yield _others(group)
            continue
        assert group.eks is not None
        if not group.eks.ami_type.startswith("AL2023_"):
            path: Path = ("nodeGroups", group.name, "ami")
            yield Finding(
                path=path,
                message=f"KServe's agent keeps models in {LOCAL_MODELS_FOLDER}, and Bottlerocket's root file system is read-only",
                remedies=(setting(path, "al2023"),),
            )
        spec = facts.inputs.config.node_groups[group.name]
        for index, taint in enumerate(spec.taints if isinstance(spec, EksNodeGroup) else ()):
            if taint.effect != "PreferNoSchedule":
                path = ("nodeGroups", group.name, "taints", index, "effect")
                yield Finding(
                    path=path,
                    message=f"KServe's Jobs that download models tolerate no taint, and {taint.key} has the effect {taint.effect}: they "
                    "stay Pending, and no copy is ever made",
                    remedies=(setting(path, "PreferNoSchedule"),),
                )


def _others(group: NodeGroup) -> Finding:
    selector = ",".join(f"{key}={value}" for key, value in group.node_selector.items())
    return Finding(
        path=("nodeGroups", group.name),
        message=(
            f"{group.name} isn't this stack's: its nodes keep copies of models only with the label {AGENT_LABEL}: worker, a folder "
            f"{LOCAL_MODELS_FOLDER} that everybody may write to, and without taints of effect NoSchedule or NoExecute"
        ),
        remedies=(
            Remedy(
                text=f"kubectl label nodes -l {selector} {AGENT_LABEL}=worker, and on every node: install -d -m 0777 {LOCAL_MODELS_FOLDER}"
            ),
        ),
        severity="warning",
    )


def _credentials(facts: Facts) -> Iterator[Finding]:
    for found in local_models(facts.stack):
        model = facts.stack.models[found.model]
        path = _key(model)
        users = [one for one in facts.workloads if one.cached and one.model.name == model.name]
        s3 = storage_uri(users[0]).startswith("s3://")
        if s3 and not found.secret:
            yield Finding(
                path=path,
                message=f"the Jobs that download {model.storage_uri} run in namespace {JOB_NAMESPACE}, where awsRole reaches nothing",
                remedies=(
                    Remedy(text=f"set storageSecret of {users[0].name} to a Secret that {JOB_NAMESPACE} has as well"),
                    _without(model),
                ),
            )
        elif found.secret and (s3 or (facts.stack.token and facts.stack.token.config_secret is None)):
            yield Finding(
                path=path,
                message=f"the Jobs that download {found.model} read Secret {found.secret} in their own namespace, {JOB_NAMESPACE}",
                remedies=(
                    Remedy(
                        text=f"create it there as well: kubectl -n {JOB_NAMESPACE} create secret generic {found.secret} ..."
                    ),
                ),
                severity="notice",
            )


_SOURCE = "kserve 1fb7810 (v0.20.0), read 2026-11-23: "
_AGENT = f"{_SOURCE}pkg/controller/v1alpha1/localmodelnode"

RULES = (
    Rule(
        code="KSV040",
        severity="error",
        title="Somebody installs KServe's controller for local models",
        why="LocalModelCache and LocalModelNodeGroup have charts of their own, and KServe's webhook looks for them only when its "
        f"configuration says so ({_SOURCE}charts/kserve-localmodel-resources, pkg/apis/serving/v1beta1/inference_service_defaults.go).",
        check=_controller,
    ),
    Rule(
        code="KSV041",
        severity="error",
        title="A model with copies on nodes is one that KServe copies",
        why="A cache is matched with the storageUri of InferenceServices and LLMInferenceServices, and its Jobs run the storage "
        f"initializer, here for hf:// and s3:// ({_SOURCE}pkg/webhook/admission/pod/storage_initializer_injector.go).",
        check=_source,
    ),
    Rule(
        code="KSV042",
        severity="error",
        title="The size of a model with copies on nodes is known",
        why=f"modelSize is required ({_SOURCE}pkg/apis/serving/v1alpha1/local_model_cache_types.go).",
        check=_size,
    ),
    Rule(
        code="KSV043",
        severity="error",
        title="Copies of models fit on the node's disk",
        why="They lie on the root volume, which no scheduler counts; the kubelet evicts pods when less than 10 % of it is free "
        "(https://kubernetes.io/docs/concepts/scheduling-eviction/node-pressure-eviction/, read 2026-11-23).",
        check=_disk,
    ),
    Rule(
        code="KSV044",
        severity="error",
        title="Nodes can keep copies of models",
        why=f"The Jobs have a node selector and no tolerations ({_AGENT}/controller.go, launchJob); the agent has a fixed folder and no "
        "root (charts/kserve-localmodel-resources/files/resources.yaml), and volumes of a host's path get no fsGroup. Groups of this stack "
        "get label, folder and a GPU taint that is only avoided.",
        check=_nodes,
    ),
    Rule(
        code="KSV045",
        severity="error",
        title="Jobs that download copies have the credentials",
        why=f"They take Secrets of a ServiceAccount in their own namespace and run without that account ({_AGENT}/controller.go, "
        "injectCredentials).",
        check=_credentials,
    ),
)
