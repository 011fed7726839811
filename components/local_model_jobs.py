"""LocalModelJobs: where and how KServe's Jobs download models to nodes."""

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from components.local_model_spec import JOB_NAMESPACE, labels, storage_container_spec

_RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}


@dataclass(frozen=True, kw_only=True, eq=False)
class LocalModelJobsArgs:
    """Arguments of LocalModelJobs."""

    version: str
    """KServe's release, with a v in front: the tag of the image that downloads."""
    memory: str
    """Most memory of a download."""


class LocalModelJobs(pulumi.ComponentResource):
    """The Jobs' namespace, under Pod Security "restricted", and the container that they run. Both belong to the whole cluster: the stack
    that installs KServe has them."""

    ready: list[pulumi.Resource]
    """What caches must wait for."""

    def __init__(self, name: str, args: LocalModelJobsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("llm-serving:index:LocalModelJobs", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        metadata = {"labels": labels("local-models")}
        namespace = k8s.core.v1.Namespace(
            name,
            metadata={"name": JOB_NAMESPACE, "labels": {**metadata["labels"], **_RESTRICTED}},
            opts=child,
        )
        container = k8s.apiextensions.CustomResource(
            name,
            api_version="serving.kserve.io/v1alpha1",
            kind="ClusterStorageContainer",
            metadata={"name": "llm-serving-local-models", **metadata},
            spec=storage_container_spec(args.version, args.memory),
            opts=child,
        )
        self.ready = [namespace, container]
        self.register_outputs({})
