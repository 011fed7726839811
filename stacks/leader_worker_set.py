"""Workloads of kind LeaderWorkerSet: copies of a model that span several nodes."""

from typing import Annotated, Literal

from pydantic import Field

from components.resolved_groups import LeaderWorkerSetSettings
from components.spec import LabelKey
from stacks.workloads import Workload


class LeaderWorkerSetWorkload(Workload):
    """A LeaderWorkerSet: every copy is a group of pods, one on each of several nodes, that start and restart together."""

    kind: Literal["LeaderWorkerSet"]
    """A LeaderWorkerSet of the lws controller (platform.leaderWorkerSet)."""
    size: Annotated[int, Field(ge=1, le=128)] | None = None
    """Pods of each group, the leader among them; as many as the ranks of a copy need nodes when left out."""
    startup_policy: Literal["LeaderCreated", "LeaderReady"] = "LeaderCreated"
    """When the workers of a group are created. vLLM needs LeaderCreated: its leader is ready only after its workers have joined."""
    restart_policy: Literal["RecreateGroupOnPodRestart", "RecreateGroupAfterStart", "None"] = (
        "RecreateGroupOnPodRestart"
    )
    """What the loss of one pod means for its group; RecreateGroupAfterStart waits until all pods of the group have started once."""
    exclusive_topology: LabelKey | None = None
    """Node label such as topology.kubernetes.io/zone: all pods of a group land on nodes with one value of it, and no other group does."""


def settings(spec: LeaderWorkerSetWorkload) -> LeaderWorkerSetSettings:
    """What the component needs besides what every workload has."""
    return LeaderWorkerSetSettings(
        startup_policy=spec.startup_policy,
        restart_policy=spec.restart_policy,
        exclusive_topology=spec.exclusive_topology,
    )
