"""ModelLeaderWorkerSet: one engine serving one model that spans several nodes, as a LeaderWorkerSet with everything around it."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from components import leader_worker_set_spec, network_policy, pods
from components.pod_volumes import config_map_name
from components.resolved import Workload
from components.serving_objects import budget_spec, pod_monitor_spec, service_metadata, service_spec
from components.spec import Manifest


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
        workload, every = args.workload, pods.selector(args.workload)
        leaders = leader_worker_set_spec.leaders(workload)
        child = pulumi.ResourceOptions(parent=self)
        metadata: Manifest = {
            "name": workload.name,
            "namespace": args.namespace or workload.namespace,
            "labels": pods.labels(workload),
        }
        account = k8s.core.v1.ServiceAccount(
            name,
            metadata=pods.account_metadata(workload, metadata),
            automount_service_account_token=False,
            opts=child,
        )
        service = k8s.core.v1.Service(
            name, metadata=service_metadata(metadata), spec=service_spec(workload, leaders), opts=child
        )
        policy = k8s.networking.v1.NetworkPolicy(
            name, metadata=metadata, spec=network_policy.workload_policy(workload, every), opts=child
        )
        k8s.policy.v1.PodDisruptionBudget(name, metadata=metadata, spec=budget_spec(every), opts=child)
        if workload.metrics == "podMonitor":
            k8s.apiextensions.CustomResource(
                f"{name}-metrics",
                api_version="monitoring.coreos.com/v1",
                kind="PodMonitor",
                metadata=metadata,
                spec=pod_monitor_spec(workload, leaders),
                opts=child,
            )
        files = workload.engine.files(workload.launch)
        if files:
            k8s.core.v1.ConfigMap(
                name, metadata={**metadata, "name": config_map_name(workload)}, data=files, immutable=True, opts=child
            )
        timeout = f"{workload.startup.rollout_timeout}s"
        k8s.apiextensions.CustomResource(
            name,
            api_version="leaderworkerset.x-k8s.io/v1",
            kind="LeaderWorkerSet",
            metadata={**metadata, "annotations": leader_worker_set_spec.annotations(workload)},
            spec=leader_worker_set_spec.leader_worker_set_spec(workload),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[account, policy, *args.after],
                custom_timeouts=pulumi.CustomTimeouts(create=timeout, update=timeout),
            ),
        )
        self.service_name = service.metadata.name
        self.url = pulumi.Output.concat(
            "http://", service.metadata.name, ".", workload.namespace, ".svc:", str(workload.service_port), "/v1"
        )
        self.register_outputs({"url": self.url, "service_name": self.service_name})
