"""The `workloads` section: what every kind of workload has in common, and the Deployment. `stacks/kinds.py` has the closed set."""

from ipaddress import ip_network
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from components.engines.union import AnyEngine
from components.spec import DnsLabel, LabelKey, Labels, LabelValue, Port, Quantity, Seconds, Spec

RuleCode = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}[0-9]{3}$")]


class Allowance(Spec):
    """A rule that this workload may break, and why."""

    code: RuleCode
    """The code in the message, for example MEM002."""
    reason: Annotated[str, Field(min_length=10, max_length=300)]
    """For the next reader."""


class Resources(Spec):
    """Requests (and for memory and ephemeral storage also limits) of the engine container; computed where left out."""

    cpu: Quantity | None = None
    """CPU request. There is no CPU limit: it would throttle tokenizers."""
    memory: Quantity | None = None
    """Memory request and limit, /dev/shm included."""
    shm: Quantity | None = None
    """Size of /dev/shm; from the parallelism when left out."""
    ephemeral_storage: Quantity | None = None
    """Ephemeral storage request and limit."""


class Drain(Spec):
    """How a pod stops: it leaves the Service, finishes running requests, then exits."""

    pre_stop_seconds: Seconds = 15
    """Wait after the pod left the endpoints, before the engine gets SIGTERM."""
    shutdown_timeout_seconds: Seconds = 45
    """How long the engine may go on with running requests."""


class Peer(Spec):
    """Who may call the workload: one selector or one address range, as in a NetworkPolicy peer."""

    namespace: DnsLabel | None = None
    """All pods of that namespace (with podLabels: those of them)."""
    namespace_labels: Labels | None = None
    """All pods of namespaces with these labels."""
    pod_labels: Labels | None = None
    """Pods with these labels, of the stack's namespace unless another is named."""
    cidr: Annotated[str, Field(pattern=r"^[0-9a-fA-F.:]+/[0-9]{1,3}$")] | None = None
    """An address range outside the cluster."""

    @model_validator(mode="after")
    def _one_kind(self) -> "Peer":
        if self.cidr is not None:
            try:
                ip_network(self.cidr)
            except ValueError as error:
                raise PydanticCustomError(
                    "peer", "cidr {cidr}: {why}", {"cidr": self.cidr, "why": str(error)}
                ) from None
        selectors = [self.namespace, self.namespace_labels, self.pod_labels]
        if self.cidr is not None and any(one is not None for one in selectors):
            raise PydanticCustomError("peer", "takes cidr alone, or selectors without cidr")
        if self.namespace is not None and self.namespace_labels is not None:
            raise PydanticCustomError("peer", "takes namespace or namespaceLabels, not both")
        if self.cidr is None and all(one is None for one in selectors):
            raise PydanticCustomError("peer", "needs one of namespace, namespaceLabels, podLabels, cidr")
        return self


class AwsRole(Spec):
    """An IAM role that the pods take on through their ServiceAccount; EKS only."""

    arn: Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$")]
    """ARN of the role; it must trust pods.eks.amazonaws.com (pod-identity), or the cluster's OIDC provider (irsa)."""
    via: Literal["pod-identity", "irsa"] = "pod-identity"
    """pod-identity needs the EKS Pod Identity Agent add-on; irsa needs the cluster's OIDC provider in IAM."""


class Workload(Spec):
    """What every kind of workload has in common."""

    kind: str
    """The Kubernetes object that runs it."""
    model: DnsLabel
    """A name of the models section."""
    node_group: DnsLabel
    """A name of the nodeGroups section."""
    replicas: Annotated[int, Field(ge=0, le=1000)] = 1
    """Copies of the model that serve at the same time."""
    rollout: Literal["in-place", "surge"] = "in-place"
    """in-place replaces one copy at a time without spare GPUs; surge starts the new copy first and needs them."""
    engine: AnyEngine
    """The inference server and its options."""
    resources: Resources = Resources()
    """What a pod requests; computed where left out."""
    drain: Drain = Drain()
    """How a pod stops."""
    startup_timeout_seconds: Annotated[int, Field(ge=60, le=86400)] | None = None
    """Time from container start to ready; computed from the weights and the storage when left out."""
    allow_from: list[Peer] | None = None
    """Who may call it; pods of the same namespace when left out. An empty list lets nobody in."""
    service_port: Port = 8000
    """Port of the Service."""
    metrics: Literal["annotations", "podMonitor", "none"] = "annotations"
    """How Prometheus finds the metrics: pod annotations, or a PodMonitor (needs the prometheus-operator CRDs)."""
    env: dict[Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")], str] = Field(default_factory=dict)
    """More environment variables, never secrets."""
    labels: dict[LabelKey, LabelValue] = Field(default_factory=dict)
    """More pod labels."""
    priority_class_name: str | None = None
    """An existing PriorityClass."""
    aws_role: AwsRole | None = None
    """IAM role of the pods, for weights in S3."""
    allow: list[Allowance] = Field(default_factory=list)
    """Rules that this workload may break."""


class DeploymentWorkload(Workload):
    """A Deployment: every copy is one pod on one node."""

    kind: Literal["Deployment"]
    """A Kubernetes Deployment."""
