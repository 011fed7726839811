"""ModelLeaderWorkerSet: one engine serving one model that spans several nodes, as a LeaderWorkerSet with everything around it."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from components import leader_worker_set_spec
from components.resolved import Workload
from components.serving_objects import service_metadata, service_spec
from components.surroundings import surround


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelLeaderWorkerSetArgs:
    """Arguments of ModelLeaderWorkerSet."""

    workload: Workload
    """The resolved workload, with `settings` of a LeaderWorkerSet."""
    namespace: pulumi.Input[str] | None = None
    """The namespace as an output of what creates it; the workload's own name for it when left out."""
    after: Sequence[pulumi.Resource] = ()
    """What must be there before the pods start: the lws controller, filled volumes, Secrets, node groups."""


class ModelLeaderWorkerSet(pulumi.ComponentResource):
    """A LeaderWorkerSet with a Service on its leaders, ServiceAccount, PodDisruptionBudget, NetworkPolicy, and a PodMonitor if asked for.

    The controller makes one headless Service for each group, with the names `<name>-0`, `<name>-1` and so on. The budget counts the
    pods of all groups: evicting one ends its whole group, and no other pod may go until that group is ready again.
    """

    url: pulumi.Output[str]
    """Base URL of the OpenAI-compatible API inside the cluster."""
    service_name: pulumi.Output[str]
    """Name of the Service."""

    def __init__(self, name: str, args: ModelLeaderWorkerSetArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("llm-serving:index:ModelLeaderWorkerSet", name, None, opts)
        workload, leaders = args.workload, leader_worker_set_spec.leaders(args.workload)
        around = surround(name, workload, parent=self, namespace=args.namespace, monitored=leaders)
        service = k8s.core.v1.Service(
            name,
            metadata=service_metadata(around.metadata),
            spec=service_spec(workload, leaders),
            opts=pulumi.ResourceOptions(parent=self),
        )
        timeout = f"{workload.startup.rollout_timeout}s"
        k8s.apiextensions.CustomResource(
            name,
            api_version="leaderworkerset.x-k8s.io/v1",
            kind="LeaderWorkerSet",
            metadata={**around.metadata, "annotations": leader_worker_set_spec.annotations(workload)},
            spec=leader_worker_set_spec.leader_worker_set_spec(workload),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[*around.needed, *args.after],
                custom_timeouts=pulumi.CustomTimeouts(create=timeout, update=timeout),
            ),
        )
        self.service_name = service.metadata.name
        self.url = pulumi.Output.concat(
            "http://",
            service.metadata.name,
            ".",
            workload.namespace,
            ".svc:",
            str(workload.service_port),
            workload.engine.API_PATH,
        )
        self.register_outputs({"url": self.url, "service_name": self.service_name})
