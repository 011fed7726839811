"""LocalModelCache: one model on the disks of its nodes."""

from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from components.local_model_spec import JOB_NAMESPACE, LocalModel, cache_spec, labels


@dataclass(frozen=True, kw_only=True, eq=False)
class LocalModelCacheArgs:
    """Arguments of LocalModelCache."""

    model: LocalModel
    """The model with its nodes."""
    namespace: str
    """Of the services that use it."""


class LocalModelCache(pulumi.ComponentResource):
    """KServe's LocalModelCache, and the ServiceAccount that names the download's credentials. Nothing waits for the downloads: a group may
    have no node yet, and each new node downloads on its own."""

    cache: pulumi.Resource
    """What services must wait for: KServe looks for it when it admits them."""

    def __init__(self, name: str, args: LocalModelCacheArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("llm-serving:index:LocalModelCache", name, None, opts)
        child = pulumi.ResourceOptions(parent=self)
        found, metadata = args.model, {"name": args.model.name, "labels": labels("local-models")}
        accounts = []
        if found.secret:
            account = k8s.core.v1.ServiceAccount(
                name,
                metadata={**metadata, "namespace": JOB_NAMESPACE},
                secrets=[{"name": found.secret}],
                automount_service_account_token=False,
                opts=child,
            )
            accounts.append(account)
        self.cache = k8s.apiextensions.CustomResource(
            name,
            api_version="serving.kserve.io/v1alpha1",
            kind="LocalModelCache",
            metadata=metadata,
            spec=cache_spec(found, args.namespace),
            opts=pulumi.ResourceOptions.merge(child, pulumi.ResourceOptions(depends_on=accounts)),
        )
        self.register_outputs({})
