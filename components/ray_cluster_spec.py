"""Specs of RayCluster and RayService. Pure.

Fields: ray-project/kuberay 59d663a (v1.7.0), ray-operator/apis/ray/v1, read 2026-11-22.
"""

from collections.abc import Sequence
from typing import Any

from catalog.ray import accelerator_type
from components import pods, ray_pods
from components.ray_serve_config import PORT, group_resource, least_copies, most_copies, serve_config_text
from components.resolved import Workload
from components.resolved_ray import RayCluster, RedisStore
from components.serving_objects import budget_spec
from components.spec import Manifest, quantity

_HEAD_START = 120
"""Seconds for Ray's head processes; an engineering margin of ours, no measurement."""
_NO_REPLICAS_ON_HEAD = {"num-cpus": "0", "num-gpus": "0"}


def ray_service_spec(models: Sequence[Workload]) -> Manifest:
    """Spec of the RayService with these models, the service's own workload first."""
    own = models[0]
    cluster = _own_cluster(own)
    serves_elsewhere = own.service_port != PORT
    return {
        "serveConfigV2": serve_config_text(models),
        "upgradeStrategy": _upgrade(cluster),
        "rayClusterDeletionDelaySeconds": cluster.deletion_delay_seconds,
        # Every worker pod has a proxy; the head stays out of the way of requests.
        "excludeHeadPodFromServeSvc": True,
        **({"serveService": {"spec": {"ports": [_serve_port(own)]}}} if serves_elsewhere else {}),
        "rayClusterConfig": ray_cluster_spec(models),
    }


def ray_cluster_spec(models: Sequence[Workload]) -> Manifest:
    """Spec of the RayCluster: a head without GPUs, and a worker group for each model."""
    own = models[0]
    cluster = _own_cluster(own)
    autoscales = autoscaled(models)
    return {
        "rayVersion": cluster.version,
        # A shared secret that every process of the cluster needs; KubeRay makes it, and Ray has it off by default.
        "authOptions": {"mode": "token"},
        "enableInTreeAutoscaling": autoscales,
        **({"autoscalerOptions": _autoscaler(cluster)} if autoscales else {}),
        **({"gcsFaultToleranceOptions": _redis(cluster.redis)} if cluster.redis else {}),
        **({"upgradeStrategy": {"type": cluster.upgrade_strategy}} if own.kind == "RayCluster" else {}),
        "headGroupSpec": {
            "serviceType": "ClusterIP",
            "rayStartParams": {
                **_NO_REPLICAS_ON_HEAD,
                "dashboard-host": "0.0.0.0",
                "object-store-memory": str(cluster.head.object_store),
            },
            "template": ray_pods.head_template(own, cluster, autoscales=autoscales),
        },
        "workerGroupSpecs": [_group(one, own, alone=len(models) == 1) for one in models],
    }


def autoscaled(models: Sequence[Workload]) -> bool:
    """Ray's autoscaler runs, because the copies of some model follow its load."""
    return any(one.settings.autoscaling for one in models)


def worker_budget_spec(workload: Workload) -> Manifest:
    """Spec of the PodDisruptionBudget of one model's worker pods: one fewer than always run must stay.

    A fixed number, because the pods belong to a RayCluster, and that has no scale subresource: of such pods Kubernetes takes no
    maxUnavailable, and lets none go (https://kubernetes.io/docs/tasks/run-application/configure-pdb/#arbitrary-controllers-and-selectors).
    """
    least = least_copies(workload) * workload.group_size
    return budget_spec(pods.selector(workload), least=max(least - 1, 0))


def ready_seconds(models: Sequence[Workload]) -> int:
    """Time for the head, then for all worker pods at once, and for every model to load: what the slowest one takes."""
    own = models[0]
    head = own.startup.node + own.startup.pull + _HEAD_START
    return head + max(one.startup.progress_deadline for one in models)


def _own_cluster(own: Workload) -> RayCluster:
    assert own.settings.cluster is not None
    return own.settings.cluster


def _group(workload: Workload, own: Workload, *, alone: bool) -> Manifest:
    cluster, settings = _own_cluster(own), workload.settings
    kind = accelerator_type(workload.node_group.gpu_name)
    requests = pods.container_resources(workload)["requests"]
    copies = {"replicas": workload.replicas * workload.group_size}
    return {
        "groupName": workload.name,
        # The autoscaler writes the number of a RayCluster, which is then not ours to set.
        **(copies if own.kind == "RayService" or not settings.autoscaling else {}),
        "minReplicas": least_copies(workload) * workload.group_size,
        "maxReplicas": most_copies(workload) * workload.group_size,
        **({"idleTimeoutSeconds": cluster.idle_timeout_seconds} if settings.autoscaling else {}),
        # The autoscaler knows of a pod what stands here.
        "resources": {
            "CPU": str(-(-quantity(requests["cpu"]) // 1)),
            "GPU": str(workload.resources.gpus),
            **({f"accelerator_type:{kind}": "1"} if kind else {}),
            **({} if alone else {group_resource(workload): "1"}),
        },
        "rayStartParams": {"object-store-memory": str(settings.object_store)},
        "template": ray_pods.worker_template(workload, cluster, own.name),
    }


def _upgrade(cluster: RayCluster) -> Manifest:
    steps = cluster.incremental
    if steps is None:
        return {"type": cluster.upgrade_strategy}
    return {
        "type": cluster.upgrade_strategy,
        "clusterUpgradeOptions": {
            "gatewayClassName": steps.gateway_class_name,
            "stepSizePercent": steps.step_size_percent,
            "intervalSeconds": steps.interval_seconds,
            "maxSurgePercent": steps.max_surge_percent,
        },
    }


def _autoscaler(cluster: RayCluster) -> Manifest:
    return {
        "version": "v2",
        "upscalingMode": cluster.upscaling_mode,
        "idleTimeoutSeconds": cluster.idle_timeout_seconds,
        "imagePullPolicy": "IfNotPresent",
        **ray_pods.autoscaler_sidecar(),
    }


def _redis(store: RedisStore) -> Manifest:
    def credential(secret: tuple[str, str] | None) -> dict[str, Any]:
        assert secret is not None
        return {"valueFrom": {"secretKeyRef": {"name": secret[0], "key": secret[1]}}}

    return {
        "redisAddress": f"{store.address}:{store.port}",
        **({"redisUsername": credential(store.username)} if store.username else {}),
        **({"redisPassword": credential(store.password)} if store.password else {}),
        **({"externalStorageNamespace": store.external_storage_namespace} if store.external_storage_namespace else {}),
    }


def _serve_port(own: Workload) -> Manifest:
    return {"name": "serve", "port": own.service_port, "targetPort": PORT, "protocol": "TCP"}
