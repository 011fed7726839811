"""Models and volumes: architecture, bytes on disk, claims and download Jobs. Pure."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from catalog.models import Architecture, Quantization, find, from_config_json, weights_bytes
from components.download_job import USER
from components.engines.base import Engine, Referenced
from components.infrastructure import Download, NodeGroup, StorageClass, Volume
from components.resolved import Model
from components.spec import to_bytes
from stacks.models import CheckpointQuantization
from stacks.models import Model as ModelSpec
from stacks.volumes import (
    EbsVolume,
    EfsVolume,
    ExistingClaimVolume,
    FsxVolume,
    StorageClassVolume,
)
from stacks.volumes import Volume as VolumeSpec

HUB_MIBPS = 50
"""Download rate assumed from the Hugging Face Hub, cautious: a start-up budget may be too long, never too short."""
S3_MIBPS = 200
"""Cautious as well: streamers read a model with 8 or more requests at the same time."""
# Cautious sustained reads of one pod in MiB/s. EFS: a file system in Elastic mode gives one client up to 1,500 MiB/s, Bursting as
# little as 100 (https://docs.aws.amazon.com/efs/latest/ug/performance.html, read 2026-11-22), so 100. Unknown classes: 100.
_SHARED_MIBPS = 100
# SCRATCH_2 file systems give 200 MB/s per TiB: https://docs.aws.amazon.com/fsx/latest/LustreGuide/performance.html
_SCRATCH_MBPS_PER_TIB = 200


def model(
    name: str,
    spec: ModelSpec,
    *,
    architectures: Mapping[str, Architecture],
    config_file: Mapping[str, Any] | None,
    in_claim: bool,
) -> Model:
    """Weights with their architecture; `architecture` is None where nothing says it."""
    if config_file is not None:
        shape: Architecture | None = from_config_json(config_file, name=spec.id, params=spec.params)
    elif spec.architecture is not None:
        shape = architectures.get(spec.architecture)
    else:
        shape = find(spec.id, architectures)
    if shape is not None and spec.quantization is not None:
        shape = replace(shape, quantization=_checkpoint(spec.quantization), weights_bytes=None)
    size = to_bytes(spec.weights_size) if spec.weights_size else (weights_bytes(shape) if shape else None)
    stored = shape.quantization if shape else None
    gated = spec.gated if spec.gated is not None else (shape.gated if shape else None)
    folder = spec.path if spec.path and in_claim else f"{name}/{spec.revision[:12]}"
    return Model(
        name=name,
        id=spec.id,
        revision=spec.revision,
        architecture=shape,
        quantization=stored.method if stored else "none",
        weights_size=size,
        gated=gated,
        volume=spec.volume,
        path=folder if spec.volume else None,
        local_cache=spec.local_model_cache,
        storage_uri=spec.storage_uri.rstrip("/") if spec.storage_uri else None,
    )


def from_hub(one: Model) -> bool:
    """A pod that serves it fetches it from the Hugging Face Hub."""
    return one.volume is None and one.storage_uri is None


def referenced(engine: Engine, models: Mapping[str, Model]) -> dict[str, Referenced]:
    """What is known of the models that an engine's options refer to."""
    return {
        name: Referenced(architecture=models[name].architecture, weights_size=models[name].weights_size)
        for name in engine.references()
    }


def volume(
    name: str,
    spec: VolumeSpec,
    *,
    namespace: str,
    created: bool,
    models: Sequence[Model],
    readers: Sequence[NodeGroup],
    image: str,
) -> Volume:
    """A claim, its storage class, and the Jobs that fill it. `readers` are the node groups whose pods mount it."""
    downloads = ()
    if created and not isinstance(spec, ExistingClaimVolume) and spec.download:
        downloads = tuple(_download(one, image, _download_nodes(spec, readers)) for one in models)
    throughput, basis = _throughput(spec)
    storage_class = _named(f"{namespace}-{name}", _storage_class(spec))
    if isinstance(spec, StorageClassVolume):
        class_name: str | None = spec.storage_class_name
    else:
        class_name = storage_class.name if storage_class else None
    return Volume(
        name=name,
        storage=spec.storage,
        claim_name=spec.claim_name if isinstance(spec, ExistingClaimVolume) else name,
        created=created and not isinstance(spec, ExistingClaimVolume),
        storage_class_name=class_name,
        storage_class=storage_class,
        access_mode=_access_mode(spec),
        size=to_bytes(spec.size) if spec.size else None,
        protect=not isinstance(spec, ExistingClaimVolume) and spec.protect,
        throughput_mibps=throughput,
        throughput_basis=basis,
        zone=None if isinstance(spec, EfsVolume) else spec.zone,
        downloads=downloads,
        weights_size=sum(one.weights_size or 0 for one in models),
    )


_USUAL_BITS = {
    "awq": 4,
    "gptq": 4,
    "fp8": 8,
    "compressed-tensors": 8,
    "modelopt": 8,
    "modelopt_fp4": 4,
    "mxfp4": 4,
    "nvfp4": 4,
}
_USUAL_GROUP = {"awq": 128, "gptq": 128, "mxfp4": 32, "nvfp4": 16, "modelopt_fp4": 16}


def _checkpoint(spec: CheckpointQuantization) -> Quantization | None:
    if spec.method == "none":
        return None
    group = spec.group_size if spec.group_size is not None else _USUAL_GROUP.get(spec.method)
    return Quantization(
        method=spec.method,
        bits=spec.bits or _USUAL_BITS.get(spec.method, 4),
        group_size=group if group and group > 0 else None,
        # An FP8 checkpoint with groups has a scale for each square block (DeepSeek-V3, Qwen3-FP8).
        block=spec.method == "fp8",
        scale_bits=32 if spec.method == "fp8" else 8 if spec.method in ("mxfp4", "nvfp4", "modelopt_fp4") else 16,
        zero_points=spec.method == "awq",
        unquantized=("embedding", "lm_head", "router", "norm", "vision", "other"),
    )


def _access_mode(spec: VolumeSpec) -> str:
    if isinstance(spec, EfsVolume | FsxVolume):
        return "ReadWriteMany"
    return "ReadWriteOnce" if isinstance(spec, EbsVolume) else spec.access_mode


def _throughput(spec: VolumeSpec) -> tuple[int, str]:
    if spec.throughput_mi_bps:
        return spec.throughput_mi_bps, "throughputMiBps in the stack file"
    if isinstance(spec, EbsVolume):
        return spec.disk_throughput_mi_bps, "provisioned gp3 throughput"
    if isinstance(spec, FsxVolume):
        per_tib = spec.per_unit_storage_throughput or _SCRATCH_MBPS_PER_TIB
        return max(1, round(per_tib * to_bytes(spec.size) / 2**40 * 1e6 / 2**20)), f"{per_tib} MB/s per TiB of FSx"
    return _SHARED_MIBPS, "cautious assumption; set throughputMiBps to the measured rate"


def _named(prefix: str, found: StorageClass | None) -> StorageClass | None:
    """With a name that follows from what it says: classes can't be changed, and a claim must not stay on an old one unnoticed."""
    if found is None:
        return None
    content = json.dumps([found.provisioner, dict(found.parameters), found.zone], sort_keys=True)
    return replace(found, name=f"{prefix}-{hashlib.sha256(content.encode()).hexdigest()[:8]}")


def _storage_class(spec: VolumeSpec) -> StorageClass | None:
    if isinstance(spec, EfsVolume):
        return StorageClass(
            name="",
            provisioner="efs.csi.aws.com",
            parameters={
                "provisioningMode": "efs-ap",
                "fileSystemId": spec.file_system_id,
                "directoryPerms": "755",
                "uid": str(USER),
                "gid": str(USER),
            },
            volume_binding_mode="Immediate",
            mount_options=("tls",),
        )
    if isinstance(spec, EbsVolume):
        key = {"kmsKeyId": spec.kms_key_arn} if spec.kms_key_arn else {}
        return StorageClass(
            name="",
            provisioner="ebs.csi.aws.com",
            parameters={
                "type": "gp3",
                "encrypted": "true",
                "iops": str(spec.iops),
                "throughput": str(spec.disk_throughput_mi_bps),
                **key,
            },
            volume_binding_mode="WaitForFirstConsumer",
            zone=spec.zone,
        )
    if isinstance(spec, FsxVolume):
        unit = spec.per_unit_storage_throughput
        return StorageClass(
            name="",
            provisioner="fsx.csi.aws.com",
            parameters={
                "subnetId": spec.subnet_id,
                "securityGroupIds": ",".join(spec.security_group_ids),
                "deploymentType": spec.deployment_type,
                **({"perUnitStorageThroughput": str(unit)} if unit else {}),
            },
            volume_binding_mode="Immediate",
            mount_options=("flock",),
        )
    return None


def _download_nodes(spec: VolumeSpec, readers: Sequence[NodeGroup]) -> NodeGroup | None:
    """A disk that one node attaches is filled on the nodes that will read it, so that it is made in their zone."""
    single = _access_mode(spec) in ("ReadWriteOnce", "ReadWriteOncePod")
    return readers[0] if single and readers else None


def _download(one: Model, image: str, nodes: NodeGroup | None) -> Download:
    identity = f"{one.id}@{one.revision}:{one.path}:{image}"
    size = one.weights_size or 0
    return Download(
        name=f"download-{one.name}-{hashlib.sha256(identity.encode()).hexdigest()[:8]}",
        model=one.name,
        repository=one.id,
        revision=one.revision,
        path=one.path or "",
        size=size,
        deadline=1800 + 2 * -(-size // (HUB_MIBPS * 2**20)),
        image=image,
        gated=bool(one.gated),
        node_selector=nodes.node_selector if nodes else {},
        tolerations=nodes.tolerations if nodes else (),
    )
