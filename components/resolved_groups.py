"""What only a LeaderWorkerSet needs of a resolved workload. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaderWorkerSetSettings:
    """Settings of the LeaderWorkerSet, under its own names; https://lws.sigs.k8s.io/docs/reference/leaderworkerset.v1/."""

    startup_policy: str
    restart_policy: str
    exclusive_topology: str | None
    """Node label of which every value holds one group at most; None: groups go anywhere."""
