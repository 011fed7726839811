"""The LeaderWorkerSet of a workload: its two pod templates, and how its groups start, restart and roll out. Pure.

Field by field: kubernetes-sigs/lws 2161f38 (v0.10.0), api/leaderworkerset/v1/leaderworkerset_types.go, read 2026-11-22.
"""

from components import efa, pods
from components.engines.groups import Group
from components.resolved import Workload
from components.spec import Manifest

_PREFIX = "leaderworkerset.sigs.k8s.io"
WORKER_INDEX = f"{_PREFIX}/worker-index"
_MASTER_PORT = 29501
"""vLLM's own default of --master-port (config/parallel.py)."""
# The controller's webhook puts LWS_* in front of a container's environment, so arguments can refer to them (pkg/utils/pod/pod_utils.go,
# AddLWSVariables). The leader uses its own address, so that it needs no DNS record of itself before the headless Service has one.
_LEADER_ADDRESS, _WORKER_RANK = "$(LWS_LEADER_ADDRESS)", "$(LWS_WORKER_INDEX)"
_POD_IP = {"name": "VLLM_HOST_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}


def leader_worker_set_spec(workload: Workload) -> Manifest:
    """Spec of the LeaderWorkerSet: groups of `group_size` pods, replaced one group at a time and in place by default."""
    settings = workload.settings
    return {
        "replicas": workload.replicas,
        "startupPolicy": settings.startup_policy,
        "rolloutStrategy": {
            "type": "RollingUpdate",
            "rollingUpdateConfiguration": {
                "maxSurge": workload.max_surge,
                "maxUnavailable": workload.max_unavailable,
                "partition": 0,
            },
        },
        # Headless Services of their own for each group: a shared one would take the name of the Service for clients.
        "networkConfig": {"subdomainPolicy": "UniquePerReplica"},
        "leaderWorkerTemplate": {
            "size": workload.group_size,
            "restartPolicy": settings.restart_policy,
            "leaderTemplate": pods.pod_template(workload, role(workload, leads=True)),
            "workerTemplate": pods.pod_template(workload, role(workload, leads=False)),
        },
    }


def leaders(workload: Workload) -> dict[str, str]:
    """Labels that pick the pods which serve the API."""
    return {**pods.selector(workload), WORKER_INDEX: "0"}


def annotations(workload: Workload) -> dict[str, str]:
    """Annotations of the LeaderWorkerSet: Pulumi waits for all groups, and where a group has a topology domain of its own."""
    topology = workload.settings.exclusive_topology
    return {
        "pulumi.com/waitFor": "condition=Available",
        **({f"{_PREFIX}/exclusive-topology": topology} if topology else {}),
    }


def role(workload: Workload, *, leads: bool, leader: str = _LEADER_ADDRESS, rank: str = _WORKER_RANK) -> pods.Role:
    """What the leader of a group, or each of its workers, does; `leader` and `rank` are what a worker is told."""
    group = Group(
        size=workload.group_size,
        leader="$(VLLM_HOST_IP)" if leads else leader,
        rank="0" if leads else rank,
        leads=leads,
        port=_MASTER_PORT,
        join_seconds=workload.startup.budget,
    )
    drain = workload.drain
    return pods.Role(
        args=(*workload.args, *(workload.engine.group_arguments(group) or ())),
        env=(_POD_IP, *({"name": name, "value": value} for name, value in efa.environment(workload).items())),
        serves=leads,
        # Workers go on computing until the leader's last requests are answered.
        pre_stop=None if leads else drain.pre_stop + drain.shutdown,
        devices=efa.devices(workload),
        # Spreading pods of one group over zones would send all its traffic across them.
        spread=False,
    )
