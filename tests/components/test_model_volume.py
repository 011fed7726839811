"""What ModelVolume registers, as whole values, for every kind of storage."""

import re
from typing import Any

import pytest

from components.infrastructure import Volume
from components.model_volume import ModelVolume, ModelVolumeArgs
from preview.registered import Registered
from preview.run import Run, run
from tests.preflight.case import COMMIT, stack

COMPONENT = "urn:pulumi:test::llm-serving::llm-serving:index:ModelVolume::weights"
PART_OF = {"app.kubernetes.io/part-of": "llm-serving"}
CLAIM_LABELS = {
    "app.kubernetes.io/name": "model-volume",
    "app.kubernetes.io/instance": "weights",
    "app.kubernetes.io/component": "weights",
    **PART_OF,
    "app.kubernetes.io/managed-by": "pulumi",
}


class _ClassName(str):
    """Equals the name of any class of the volume: its hash is tested on its own."""

    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, str) and re.fullmatch("ml-serving-weights-[0-9a-f]{8}", other) is not None


ANY_CLASS = _ClassName("ml-serving-weights-<hash>")


def volume(patch: dict[str, Any] | None = None) -> Volume:
    spec = {"fileSystemId": None, **patch} if patch else {}
    return stack({"volumes": {"weights": spec}}).volumes["weights"]


def created(given: Volume, **args: Any) -> Run:
    def program() -> None:
        ModelVolume("weights", ModelVolumeArgs(volume=given, namespace="ml-serving", **args))

    return run(program, project="llm-serving", stack="test", config={})


def kinds(result: Run) -> dict[str, Registered]:
    return {item.type.split(":")[-1]: item for item in result.resources}


def claim(class_name: str, mode: str, size: str = "500Gi") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "weights", "namespace": "ml-serving", "labels": CLAIM_LABELS},
        "spec": {
            "accessModes": [mode],
            "volumeMode": "Filesystem",
            "resources": {"requests": {"storage": size}},
            "storageClassName": class_name,
        },
    }


def storage_class(provisioner: str, binding: str, **more: Any) -> dict[str, Any]:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": ANY_CLASS, "labels": PART_OF},
        "provisioner": provisioner,
        "reclaimPolicy": "Retain",
        "volumeBindingMode": binding,
        "allowVolumeExpansion": provisioner != "efs.csi.aws.com",
        **more,
    }


CASES: dict[str, tuple[dict[str, Any], dict[str, Any] | None, dict[str, Any]]] = {
    "efs": (
        {"storage": "efs", "fileSystemId": "fs-0123"},
        storage_class(
            "efs.csi.aws.com",
            "Immediate",
            mountOptions=["tls"],
            parameters={
                "provisioningMode": "efs-ap",
                "fileSystemId": "fs-0123",
                "directoryPerms": "755",
                "uid": "2000",
                "gid": "2000",
            },
        ),
        claim(ANY_CLASS, "ReadWriteMany"),
    ),
    "ebs": (
        {"storage": "ebs", "zone": "us-east-1a", "kmsKeyArn": "arn:aws:kms:us-east-1:1:key/k", "size": "60Gi"},
        storage_class(
            "ebs.csi.aws.com",
            "WaitForFirstConsumer",
            parameters={
                "type": "gp3",
                "encrypted": "true",
                "iops": "3000",
                "throughput": "500",
                "kmsKeyId": "arn:aws:kms:us-east-1:1:key/k",
            },
            allowedTopologies=[
                {"matchLabelExpressions": [{"key": "topology.kubernetes.io/zone", "values": ["us-east-1a"]}]}
            ],
        ),
        claim(ANY_CLASS, "ReadWriteOnce", "60Gi"),
    ),
    "fsx": (
        {
            "storage": "fsx",
            "size": "1200Gi",
            "subnetId": "subnet-a",
            "securityGroupIds": ["sg-1", "sg-2"],
            "perUnitStorageThroughput": 250,
        },
        storage_class(
            "fsx.csi.aws.com",
            "Immediate",
            mountOptions=["flock"],
            parameters={
                "subnetId": "subnet-a",
                "securityGroupIds": "sg-1,sg-2",
                "deploymentType": "PERSISTENT_2",
                "perUnitStorageThroughput": "250",
            },
        ),
        claim(ANY_CLASS, "ReadWriteMany", "1200Gi"),
    ),
    "storageClass": (
        {"storage": "storageClass", "storageClassName": "nfs", "accessMode": "ReadWriteMany"},
        None,
        claim("nfs", "ReadWriteMany"),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_claim_and_storage_class(name: str) -> None:
    patch, expected_class, expected_claim = CASES[name]
    found = kinds(created(volume(patch)))
    assert found["PersistentVolumeClaim"].inputs == expected_claim
    assert (found["StorageClass"].inputs if "StorageClass" in found else None) == expected_class


def test_the_claim_is_protected_and_never_made_beside_its_predecessor() -> None:
    found = kinds(created(volume()))["PersistentVolumeClaim"]
    assert (found.protect, found.delete_before_replace) == (True, True)


def test_protection_can_be_taken_off() -> None:
    found = kinds(created(volume({"storage": "efs", "fileSystemId": "fs-0123", "protect": False})))
    assert found["PersistentVolumeClaim"].protect is False


def test_an_existing_claim_is_only_named() -> None:
    given = volume({"storage": "existingClaim", "claimName": "models", "accessMode": "ReadWriteMany", "size": None})
    result = created(given)
    assert [item.urn for item in result.resources] == [COMPONENT]
    assert result.resources[0].outputs == {"claim_name": "models"}


def test_the_download_job() -> None:
    result = created(volume(), token=("hf-token", "token"))
    job = kinds(result)["Job"]
    name = "download-llama-" + job.inputs["metadata"]["name"].rpartition("-")[2]
    labels = {
        "app.kubernetes.io/name": "model-download",
        "app.kubernetes.io/instance": name,
        "app.kubernetes.io/component": "model-download",
        **PART_OF,
        "app.kubernetes.io/managed-by": "pulumi",
    }
    assert job.inputs["metadata"] == {"name": name, "namespace": "ml-serving", "labels": labels}
    spec = job.inputs["spec"]
    # half an hour, and twice the 16,060,522,496 bytes at 50 MiB/s
    assert (spec["backoffLimit"], spec["activeDeadlineSeconds"]) == (6, 1800 + 2 * 307)
    container = spec["template"]["spec"].pop("containers")[0]
    assert spec["template"] == {
        "metadata": {"labels": labels},
        "spec": {
            "restartPolicy": "OnFailure",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 2000,
                "runAsGroup": 2000,
                "fsGroup": 2000,
                "fsGroupChangePolicy": "OnRootMismatch",
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "volumes": [
                {"name": "weights", "persistentVolumeClaim": {"claimName": "weights"}},
                {"name": "scratch", "emptyDir": {"sizeLimit": "4Gi"}},
            ],
        },
    }
    assert container["args"] == ["meta-llama/Llama-3.1-8B-Instruct", COMMIT, f"/models/llama/{COMMIT[:12]}"]
    assert container["command"][:2] == ["python3", "-c"]
    assert container["env"][-1] == {
        "name": "HF_TOKEN",
        "valueFrom": {"secretKeyRef": {"name": "hf-token", "key": "token"}},
    }
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"] == {
        "requests": {"cpu": "1", "memory": "8Gi", "ephemeral-storage": "5Gi"},
        "limits": {"memory": "8Gi", "ephemeral-storage": "5Gi"},
    }
    assert job.custom_timeouts == {"create": "2714s"}
    assert job.replace_on_changes == ("spec",)
    policy = kinds(result)["NetworkPolicy"].inputs["spec"]
    assert policy["podSelector"] == {"matchLabels": {"app.kubernetes.io/instance": name}}
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in policy


def test_another_revision_is_another_job_and_another_folder() -> None:
    def first(revision: str) -> tuple[str, str]:
        one = stack({"models": {"llama": {"revision": revision}}}).volumes["weights"].downloads[0]
        return one.name, one.path

    assert first("a" * 40) != first("b" * 40)


def test_a_disk_is_filled_on_the_nodes_that_will_read_it() -> None:
    job = kinds(created(volume({"storage": "ebs", "size": "60Gi"})))["Job"].inputs["spec"]["template"]["spec"]
    assert job["nodeSelector"] == {"llm-serving/node-group": "gpu"}
    assert job["tolerations"] == [
        {"key": "nvidia.com/gpu", "operator": "Equal", "value": "present", "effect": "NoSchedule"}
    ]


def test_nothing_is_downloaded_where_the_stack_says_so() -> None:
    given = volume({"storage": "efs", "fileSystemId": "fs-0123", "download": False})
    assert "Job" not in kinds(created(given))


def test_children_belong_to_the_component() -> None:
    children = [item for item in created(volume()).resources if item.urn != COMPONENT]
    assert {item.parent for item in children} == {COMPONENT}


def test_a_class_is_named_after_what_it_says() -> None:
    def name(**keys: Any) -> str | None:
        return volume({"storage": "efs", "fileSystemId": "fs-0123", **keys}).storage_class_name

    assert name() == name(size="1Ti") == name(protect=False)
    assert name() != name(fileSystemId="fs-4567")
