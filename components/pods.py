"""The one pod builder: a resolved workload to the camelCase PodSpec that every kind of workload wraps. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from components.pod_volumes import TMP_DIR, mounts, volumes
from components.resolved import Workload
from components.spec import Manifest, mebibytes

MODEL_CONTAINER = "engine"
PORT_NAME = "http"
PART_OF = "llm-serving"
_PROBE_PERIOD = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """What a pod does among those of its workload, where they differ; the default serves the API by itself."""

    container: str = MODEL_CONTAINER
    """Name of the engine's container."""
    args: tuple[str, ...] | None = None
    """The command line after the entrypoint; the workload's own when None."""
    env: tuple[Mapping[str, Any], ...] = ()
    """More environment variables, as in a container's `env`."""
    serves: bool = True
    """It answers HTTP: port, probes and metrics."""
    port: int | None = None
    """The engine listens there, under its own name, where another container of the pod answers at the engine's usual port."""
    pre_stop: int | None = None
    """Seconds before SIGTERM; the workload's own when None."""
    devices: Mapping[str, str] = field(default_factory=dict)
    """More resources, requested and limited to the same amount."""
    spread: bool = True
    """Several copies prefer different zones and nodes."""


SERVER = Role()


def labels(workload: Workload) -> dict[str, str]:
    """Labels of every object of a workload, and of its pods."""
    return {
        **workload.labels,
        **selector(workload),
        "app.kubernetes.io/component": "model-server",
        "app.kubernetes.io/part-of": PART_OF,
        "app.kubernetes.io/managed-by": "pulumi",
    }


def selector(workload: Workload) -> dict[str, str]:
    """Labels that pick a workload's pods; they never change while it lives."""
    return {"app.kubernetes.io/name": workload.engine.name, "app.kubernetes.io/instance": workload.name}


def account_metadata(workload: Workload, metadata: Manifest) -> Manifest:
    """Metadata of its ServiceAccount: with the role's ARN, for IAM roles for service accounts."""
    role = workload.aws_role
    if role is None or role.via != "irsa":
        return metadata
    return {**metadata, "annotations": {"eks.amazonaws.com/role-arn": role.arn}}


def annotations(workload: Workload) -> dict[str, str]:
    """Annotations of the pods: where Prometheus scrapes, when the stack asks for that way."""
    if workload.metrics != "annotations":
        return {}
    return {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": str(workload.engine.PORT),
        "prometheus.io/path": workload.engine.METRICS_PATH,
    }


def pod_template(workload: Workload, role: Role = SERVER) -> dict[str, Any]:
    """Metadata and spec of the pods."""
    metadata: dict[str, Any] = {"labels": labels(workload)}
    if role.serves and (extra := annotations(workload)):
        metadata["annotations"] = extra
    return {"metadata": metadata, "spec": pod_spec(workload, role)}


def pod_spec(workload: Workload, role: Role = SERVER) -> dict[str, Any]:
    """The whole pod: Pod Security "restricted", read-only root, GPUs, probes, drain and placement."""
    spec: dict[str, Any] = {
        "serviceAccountName": workload.name,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": workload.drain.grace,
        **placement(workload.node_group.node_selector, workload.node_group.tolerations),
        "securityContext": pod_security(workload.engine.USER),
        "containers": [_container(workload, role)],
        "volumes": volumes(workload),
    }
    if workload.replicas > 1 and role.spread:
        spec["topologySpreadConstraints"] = [
            _spread("topology.kubernetes.io/zone", workload),
            _spread("kubernetes.io/hostname", workload),
        ]
    if workload.priority_class_name:
        spec["priorityClassName"] = workload.priority_class_name
    return spec


def placement(selector: Mapping[str, str], tolerations: Iterable[Mapping[str, str]]) -> dict[str, Any]:
    """The nodes of a pod. What is empty is left out: the API server and Pulumi's provider drop it too."""
    found = {"nodeSelector": dict(selector), "tolerations": [dict(one) for one in tolerations]}
    return {key: value for key, value in found.items() if value}


def pod_security(user: int) -> dict[str, Any]:
    """Pod-level security context without root; mounted volumes become the group's without a walk over every file each time."""
    return {
        "runAsNonRoot": True,
        "runAsUser": user,
        "runAsGroup": user,
        "fsGroup": user,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container_security() -> dict[str, Any]:
    """Container-level security context of Pod Security "restricted", with a read-only root file system."""
    return {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def cache_environment(cache_dir: str) -> dict[str, str]:
    """Home and caches in a writable folder, for user ids that the image's passwd file may lack."""
    return {
        "HOME": f"{cache_dir}/home",
        "USER": PART_OF,
        "LOGNAME": PART_OF,
        "XDG_CACHE_HOME": f"{cache_dir}/xdg",
        "XDG_CONFIG_HOME": f"{cache_dir}/config",
        "HF_HOME": f"{cache_dir}/huggingface",
        "TMPDIR": TMP_DIR,
    }


def environment(workload: Workload) -> list[dict[str, Any]]:
    """Environment of the engine, sorted by name; what the stack file sets wins."""
    values = {
        **cache_environment(workload.launch.cache_dir),
        **workload.engine.environment(workload.launch),
        **({} if workload.downloads else {"HF_HUB_OFFLINE": "1"}),
        **workload.env,
    }
    found: list[dict[str, Any]] = [{"name": name, "value": values[name]} for name in sorted(values)]
    if workload.token_secret:
        found.append(token_variable(*workload.token_secret))
    return found


def token_variable(secret: str, key: str) -> dict[str, Any]:
    """HF_TOKEN from a Secret."""
    return {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}


def _container(workload: Workload, role: Role) -> dict[str, Any]:
    engine = workload.engine
    pre_stop = workload.drain.pre_stop if role.pre_stop is None else role.pre_stop
    return {
        "name": role.container,
        "image": engine.image_reference(),
        "imagePullPolicy": "IfNotPresent",
        **({"command": list(engine.COMMAND)} if engine.COMMAND else {}),
        "args": list(workload.args if role.args is None else role.args),
        "env": [*environment(workload), *(dict(one) for one in role.env)],
        **(_serving(workload, role) if role.serves else {}),
        "resources": container_resources(workload, role.devices),
        "securityContext": container_security(),
        "lifecycle": {"preStop": {"sleep": {"seconds": pre_stop}}},
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": mounts(workload),
    }


def _serving(workload: Workload, role: Role) -> dict[str, Any]:
    """Port and probes of a container that answers HTTP."""
    name = PORT_NAME if role.port is None else MODEL_CONTAINER
    return {
        "ports": [{"name": name, "containerPort": role.port or workload.engine.PORT, "protocol": "TCP"}],
        "startupProbe": {
            **_probe(workload, name, period=_PROBE_PERIOD, timeout=5),
            "failureThreshold": -(-workload.startup.budget // _PROBE_PERIOD),
        },
        "readinessProbe": {**_probe(workload, name, period=5, timeout=5), "failureThreshold": 3},
        # Lenient: a long prefill must not get the pod killed.
        "livenessProbe": {**_probe(workload, name, period=20, timeout=10), "failureThreshold": 6},
    }


def container_resources(workload: Workload, devices: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Requests and limits; no CPU limit, because it would throttle tokenizers."""
    pod = workload.resources
    fixed = {
        "memory": mebibytes(pod.memory),
        "ephemeral-storage": mebibytes(pod.ephemeral_storage),
        workload.node_group.gpu_resource: str(pod.gpus),
        **(devices or {}),
    }
    return {"requests": {"cpu": cpu(pod.cpu_millis), **fixed}, "limits": dict(fixed)}


def cpu(millis: int) -> str:
    """Thousandths of a core as a quantity."""
    return str(millis // 1000) if millis % 1000 == 0 else f"{millis}m"


def _probe(workload: Workload, port: str, *, period: int, timeout: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": workload.engine.health_path(workload.launch), "port": port},
        "periodSeconds": period,
        "timeoutSeconds": timeout,
    }


def _spread(key: str, workload: Workload) -> dict[str, Any]:
    return {
        "maxSkew": 1,
        "topologyKey": key,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": selector(workload)},
    }
