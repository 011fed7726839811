"""ModelVolume: a claim for model weights, its StorageClass where it brings one, and the Jobs that fill it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_kubernetes as k8s

from components import network_policy
from components.download_job import job_labels, job_spec
from components.infrastructure import Download, StorageClass, Volume
from components.pods import PART_OF
from components.spec import Manifest, mebibytes


@dataclass(frozen=True, kw_only=True, eq=False)
class ModelVolumeArgs:
    """Arguments of ModelVolume."""

    volume: Volume
    """The resolved volume."""
    namespace: pulumi.Input[str]
    """Namespace of the claim."""
    token: tuple[str, str] | None = None
    """Name and key of the Secret with the Hugging Face token, for the download Jobs."""
    after: Sequence[pulumi.Resource] = ()
    """What must be there before the download Jobs run: the token's Secret, nodes for disks."""


class ModelVolume(pulumi.ComponentResource):
    """A PersistentVolumeClaim with the access mode of its storage, protected against deletion, filled by one Job for each model.

    An existing claim is only named: nothing is created for it.
    """

    claim_name: pulumi.Output[str]
    """Name of the claim that pods mount."""
    filled: tuple[pulumi.Resource, ...]
    """What pods must wait for: the download Jobs, or the claim where nothing is downloaded; nothing for an existing claim."""

    def __init__(self, name: str, args: ModelVolumeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("llm-serving:index:ModelVolume", name, None, opts)
        volume = args.volume
        if volume.created:
            claim = self._claim(name, args)
            self.claim_name = claim.metadata.name
            jobs = (self._download(f"{name}-{one.model}", args, one) for one in volume.downloads)
            self.filled = tuple(jobs) or (claim,)
        else:
            self.claim_name = pulumi.Output.from_input(volume.claim_name)
            self.filled = ()
        self.register_outputs({"claim_name": self.claim_name})

    def _claim(self, name: str, args: ModelVolumeArgs) -> k8s.core.v1.PersistentVolumeClaim:
        volume = args.volume
        class_name: pulumi.Input[str] | None = volume.storage_class_name
        if volume.storage_class:
            storage = k8s.storage.v1.StorageClass(
                name,
                **storage_class(volume.storage_class),
                opts=pulumi.ResourceOptions(parent=self, delete_before_replace=True),
            )
            class_name = storage.metadata.name
        metadata: Manifest = {
            "name": volume.claim_name,
            "namespace": args.namespace,
            "labels": volume_labels(volume),
        }
        return k8s.core.v1.PersistentVolumeClaim(
            name,
            metadata=metadata,
            spec=claim_spec(volume, class_name),
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=volume.protect,
                delete_before_replace=True,
                custom_timeouts=pulumi.CustomTimeouts(create="30m"),
            ),
        )

    def _download(self, name: str, args: ModelVolumeArgs, download: Download) -> k8s.batch.v1.Job:
        labels = job_labels(download)
        metadata: Manifest = {"name": download.name, "namespace": args.namespace, "labels": labels}
        policy = k8s.networking.v1.NetworkPolicy(
            name,
            metadata=metadata,
            spec=network_policy.download_policy({"app.kubernetes.io/instance": download.name}),
            opts=pulumi.ResourceOptions(parent=self),
        )
        return k8s.batch.v1.Job(
            name,
            metadata=metadata,
            spec=job_spec(download, self.claim_name, args.token),
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[policy, *args.after],
                delete_before_replace=True,
                replace_on_changes=["spec"],
                custom_timeouts=pulumi.CustomTimeouts(create=f"{download.deadline + 300}s"),
            ),
        )


def volume_labels(volume: Volume) -> dict[str, str]:
    """Labels of the claim."""
    return {
        "app.kubernetes.io/name": "model-volume",
        "app.kubernetes.io/instance": volume.name,
        "app.kubernetes.io/component": "weights",
        "app.kubernetes.io/part-of": PART_OF,
        "app.kubernetes.io/managed-by": "pulumi",
    }


def claim_spec(volume: Volume, class_name: Any) -> Manifest:
    """Spec of the claim."""
    return {
        "accessModes": [volume.access_mode],
        "volumeMode": "Filesystem",
        "resources": {"requests": {"storage": mebibytes(volume.size or 0)}},
        "storageClassName": class_name,
    }


def storage_class(given: StorageClass) -> Manifest:
    """Arguments of the StorageClass. Volumes outlive their claims: weights are never deleted by accident."""
    zone = [{"key": "topology.kubernetes.io/zone", "values": [given.zone]}] if given.zone else []
    return {
        "metadata": {"name": given.name, "labels": {"app.kubernetes.io/part-of": PART_OF}},
        "provisioner": given.provisioner,
        "parameters": dict(given.parameters),
        "reclaim_policy": "Retain",
        "volume_binding_mode": given.volume_binding_mode,
        "allow_volume_expansion": given.provisioner != "efs.csi.aws.com",
        **({"mount_options": list(given.mount_options)} if given.mount_options else {}),
        **({"allowed_topologies": [{"matchLabelExpressions": zone}]} if zone else {}),
    }
