"""The `volumes` section: where model weights live."""

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from components.spec import ObjectName, Quantity, Spec, to_bytes
from stacks.gp3 import check_throughput

AccessMode = Literal["ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"]
SubnetId = Annotated[str, Field(pattern=r"^subnet-[0-9a-z-]+$")]
SecurityGroupId = Annotated[str, Field(pattern=r"^sg-[0-9a-z-]+$")]


class _Volume(Spec):
    throughput_mi_bps: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Sustained read throughput for one pod in MiB/s, from which start-up time is computed; a cautious figure when left out."""


class _CreatedVolume(_Volume):
    size: Quantity
    """Size of the claim."""
    protect: bool = True
    """Refuse to delete the claim in `pulumi up` and `pulumi destroy` until this is set to false."""
    download: bool = True
    """Fill the claim with the models that name it, by a Job that runs before the pods start."""


class EfsVolume(_CreatedVolume):
    """A directory of an existing EFS file system, by the EFS CSI driver; read by any number of nodes in all zones."""

    storage: Literal["efs"]
    """Amazon EFS."""
    file_system_id: Annotated[str, Field(pattern=r"^fs-[0-9a-z-]+$")]
    """Id of the file system."""


class EbsVolume(_CreatedVolume):
    """An encrypted gp3 disk, by the EBS CSI driver; attaches to one node at a time, in one zone."""

    storage: Literal["ebs"]
    """Amazon EBS."""
    iops: Annotated[int, Field(ge=3000, le=80000)] = 3000
    """Provisioned IOPS."""
    disk_throughput_mi_bps: Annotated[int, Field(ge=125, le=2000)] = 500
    """Provisioned throughput in MiB/s; gp3 allows at most a quarter of the IOPS."""
    kms_key_arn: str | None = None
    """KMS key that encrypts the disk; the account's default EBS key when left out."""
    zone: str | None = None
    """Availability zone of the disk; the zone of the first pod when left out."""

    @model_validator(mode="after")
    def _ratio(self) -> "EbsVolume":
        check_throughput(self.disk_throughput_mi_bps, self.iops, "iops")
        return self


class FsxVolume(_CreatedVolume):
    """A new FSx for Lustre file system, by the FSx CSI driver; read by any number of nodes in one zone."""

    storage: Literal["fsx"]
    """Amazon FSx for Lustre."""
    subnet_id: SubnetId
    """Subnet of the file system."""
    security_group_ids: Annotated[list[SecurityGroupId], Field(min_length=1)]
    """Security groups of the file system; they must let the nodes in on the Lustre ports."""
    deployment_type: Literal["SCRATCH_2", "PERSISTENT_1", "PERSISTENT_2"] = "PERSISTENT_2"
    """Scratch for data that can be downloaded again; persistent is replicated."""
    per_unit_storage_throughput: Literal[50, 100, 125, 200, 250, 500, 1000] | None = None
    """MB/s for each TiB: 125, 250, 500 or 1000 for PERSISTENT_2; 50, 100 or 200 for PERSISTENT_1; none for SCRATCH_2."""
    zone: str | None = None
    """Availability zone of the subnet; zone rules need it."""

    @model_validator(mode="after")
    def _lustre(self) -> "FsxVolume":
        # https://docs.aws.amazon.com/fsx/latest/LustreGuide/using-fsx-lustre.html
        allowed = {"SCRATCH_2": (None,), "PERSISTENT_1": (50, 100, 200), "PERSISTENT_2": (125, 250, 500, 1000)}
        if self.per_unit_storage_throughput not in allowed[self.deployment_type]:
            raise PydanticCustomError(
                "lustre",
                "perUnitStorageThroughput {value} doesn't go with {kind}: use {allowed}",
                {
                    "value": self.per_unit_storage_throughput,
                    "kind": self.deployment_type,
                    "allowed": ", ".join(str(one) for one in allowed[self.deployment_type] if one) or "none",
                },
            )
        gib = to_bytes(self.size) / 2**30
        if gib != 1200 and gib % 2400:
            raise PydanticCustomError(
                "lustre", "size {size} isn't one FSx offers: use 1200Gi or a multiple of 2400Gi", {"size": self.size}
            )
        return self


class StorageClassVolume(_CreatedVolume):
    """A claim of a StorageClass that the cluster has already."""

    storage: Literal["storageClass"]
    """A StorageClass of the cluster."""
    storage_class_name: ObjectName
    """Name of the StorageClass."""
    access_mode: AccessMode
    """What the class can do: ReadWriteMany for shared file systems, ReadWriteOnce for disks."""
    zone: str | None = None
    """Availability zone of the volume; unknown when left out."""


class ExistingClaimVolume(_Volume):
    """A PersistentVolumeClaim that exists already in the stack's namespace and holds the weights."""

    storage: Literal["existingClaim"]
    """An existing PersistentVolumeClaim."""
    claim_name: ObjectName
    """Name of the claim."""
    access_mode: AccessMode
    """The access mode of the claim."""
    size: Quantity | None = None
    """Size of the claim, to check that the weights fit."""
    zone: str | None = None
    """Availability zone of the volume; unknown when left out."""


Volume = Annotated[
    EfsVolume | EbsVolume | FsxVolume | StorageClassVolume | ExistingClaimVolume, Field(discriminator="storage")
]
