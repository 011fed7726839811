"""Copies of models on nodes: KSV040-KSV045."""

from typing import Any

from tests.preflight.case import COMMIT, Case
from tests.preflight.cases_kserve import BUCKET, kserve

LOCAL: dict[str, Any] = {
    "platform": {"kserve": {"localModels": True}},
    "huggingFaceToken": {"secretName": None, "configSecret": "hfToken"},
    "nodeGroups": {"gpu": {"diskSize": "200Gi"}},
    "models": {"llama": {"volume": None, "localModelCache": True}},
}
PLAIN = {"models": {"llama": {"localModelCache": None}}}
POOL = {
    "nodeGroups": {
        "gpu": {
            **dict.fromkeys(["instanceTypes", "subnetIds", "zones", "minSize", "maxSize", "diskSize"]),
            "provisioner": "existing",
            "instanceType": "p5.48xlarge",
            "nodes": 2,
            "nodeSelector": {"pool": "gpu"},
        }
    }
}
TWIN = {"id": "meta-llama/Llama-3.1-8B-Instruct", "revision": COMMIT, "localModelCache": True}
SECRET = {"storageSecret": "bucket"}


def local(patch: dict[str, Any] | None = None, /, **chat: Any) -> dict[str, Any]:
    """The service with its weights on its nodes."""
    return kserve(both(LOCAL, patch or {}), **chat)


def both(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """One patch after the other: what either removes stays removed."""
    found = dict(one)
    for key, value in other.items():
        before = found.get(key)
        found[key] = both(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return found


OTHER = {
    "nodeGroups": {
        "more": {"instanceTypes": ["p5.48xlarge"], "subnetIds": ["subnet-0a1b2c3d"], "minSize": 1, "maxSize": 1}
    },
    "workloads": {
        "again": {
            "kind": "InferenceService",
            "model": "llama",
            "nodeGroup": "more",
            "engine": {"name": "vllm", "version": "0.33.0", "maxModelLen": 8192},
        }
    },
}


CASES = [
    Case(
        code="KSV046",
        breaks=local(OTHER),
        says=("on gpu and more", "new nodes of gpu only"),
        remedy="serve it on one node group",
        passes=local(both(OTHER, {"workloads": {"again": {"nodeGroup": "gpu"}}})),
    ),
    Case(
        code="KSV047",
        breaks=local(both(OTHER, {"models": {"twin": TWIN}, "workloads": {"again": {"model": "twin"}}})),
        says=("llama and twin have the source hf://",),
        remedy="name llama as their model",
        passes=local(
            both(OTHER, {"models": {"twin": {**TWIN, "revision": "b" * 40}}, "workloads": {"again": {"model": "twin"}}})
        ),
    ),
    Case(
        code="KSV048",
        breaks=local(),
        says=("come and go",),
        remedy="kubectl delete localmodelnode",
        passes=local({"nodeGroups": {"gpu": {"minSize": 2}}}),
    ),
    Case(
        code="KSV040",
        breaks=local({"platform": {"kserve": {"localModels": None}}}),
        says=("controller and agent", "llama"),
        remedy="set platform.kserve.localModels: true",
        passes=local(),
    ),
    Case(
        code="KSV041",
        breaks=local({"models": {"llama": {"volume": "weights"}}}),
        says=("volume weights",),
        remedy="remove models.llama.localModelCache",
        passes=local(),
    ),
    Case(
        code="KSV041",
        breaks=local(
            {
                "cluster": {"kubernetesVersion": "1.35"},
                "models": {"llama": {"storageUri": "oci+native://ghcr.io/a/llama:3"}},
            }
        ),
        says=("oci+native://", "makes no copies of it"),
        remedy="remove models.llama.localModelCache",
        passes=local(),
    ),
    Case(
        code="KSV041",
        breaks=local(kind="Deployment"),
        says=("chat is a Deployment",),
        remedy="remove models.llama.localModelCache",
        passes=local(PLAIN, kind="Deployment"),
    ),
    Case(
        code="KSV042",
        breaks=local({"models": {"llama": {"id": "example/unheard-of"}}}),
        says=("the size of llama",),
        remedy="weightsSize",
        passes=local({"models": {"llama": {"id": "example/unheard-of", "weightsSize": "16Gi", "gated": False}}}),
    ),
    Case(
        code="KSV043",
        breaks=local({"models": {"llama": {"weightsSize": "170Gi"}}}),
        says=("copies of 170 GiB", "a disk of 200 GiB"),
        remedy="set nodeGroups.gpu.diskSize: 250Gi",
        passes=local({"models": {"llama": {"weightsSize": "150Gi"}}}),
    ),
    Case(
        code="KSV044",
        breaks=local({"nodeGroups": {"gpu": {"ami": "bottlerocket"}}}),
        says=("/models", "Bottlerocket"),
        remedy="set nodeGroups.gpu.ami: al2023",
        passes=local(),
    ),
    Case(
        code="KSV044",
        breaks=local({"nodeGroups": {"gpu": {"taints": [{"key": "team", "value": "a", "effect": "NoExecute"}]}}}),
        says=("team has the effect NoExecute",),
        remedy="set nodeGroups.gpu.taints.0.effect: PreferNoSchedule",
        passes=local(
            {"nodeGroups": {"gpu": {"taints": [{"key": "team", "value": "a", "effect": "PreferNoSchedule"}]}}}
        ),
    ),
    Case(
        code="KSV044",
        breaks=local(POOL),
        says=("kserve/localmodel: worker", "everybody may write"),
        remedy="kubectl label nodes -l pool=gpu kserve/localmodel=worker",
        passes=local({**POOL, **PLAIN}),
    ),
    Case(
        code="KSV045",
        breaks=local(BUCKET, awsRole={"arn": "arn:aws:iam::123456789012:role/read"}),
        says=("kserve-localmodel-jobs", "awsRole reaches nothing"),
        remedy="set storageSecret of chat",
        passes=local({"models": {"llama": {"id": "Qwen/Qwen3-8B"}}}),
    ),
    Case(
        code="KSV045",
        breaks=local(BUCKET, **SECRET),
        says=("Secret bucket", "in their own namespace"),
        remedy="kubectl -n kserve-localmodel-jobs create secret generic bucket",
        passes=local(),
    ),
    Case(
        code="KSV045",
        breaks=local({"huggingFaceToken": {"secretName": "hf-token", "configSecret": None}}),
        says=("Secret hf-token",),
        remedy="create secret generic hf-token",
        passes=local(),
    ),
]
