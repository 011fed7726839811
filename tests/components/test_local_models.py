"""Copies of models on nodes: the objects that the program registers for them, and the pods that KServe makes of it."""

import base64
import email
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from components import local_model_spec
from components.kserve_spec import scoped
from components.local_model_spec import LocalModel, kept, local_models
from components.resolved import Stack
from preview.run import Run, run
from stacks.deploy import deploy
from tests import crds, kserve, kserve_local_models
from tests.preflight.case import COMMIT, stack
from tests.preflight.cases_kserve import kserve as kserve_patch
from tests.preflight.cases_local_models import BUCKET, SECRET, local

URI = f"hf://meta-llama/Llama-3.1-8B-Instruct:{COMMIT}"
TWO = {
    "models": {"qwen": {"id": "Qwen/Qwen3-8B", "revision": COMMIT, "localModelCache": True}},
    "workloads": {
        "more": {
            "kind": "InferenceService",
            "model": "qwen",
            "nodeGroup": "gpu",
            "engine": {"name": "vllm", "version": "0.33.0", "maxModelLen": 8192},
        }
    },
}


def registered(given: Stack) -> Run:
    config = {"llm-serving:hfToken": "a-token"}

    def program() -> None:
        deploy(given)

    return run(program, project="llm-serving", stack="test", config=config, config_secret_keys=list(config))


def of_kind(result: Run, kind: str) -> list[dict[str, Any]]:
    return [
        one.inputs for one in result.resources if one.inputs.get("kind") == kind and one.type.startswith("kubernetes:")
    ]


def test_the_cache_says_what_is_kept_where_and_how_large_it_is() -> None:
    result = registered(stack(local()))
    (cache,), (group,) = of_kind(result, "LocalModelCache"), of_kind(result, "LocalModelNodeGroup")
    assert crds.errors(cache) == []
    assert crds.errors(group) == []
    assert cache["spec"] == {
        "sourceModelUri": URI,
        "modelSize": "15317Mi",
        "nodeGroups": ["ml-serving-gpu"],
        "serviceAccountName": cache["metadata"]["name"],
    }
    assert cache["metadata"]["name"].startswith("ml-serving-llama-")
    assert group["metadata"]["name"] == "ml-serving-gpu"
    volume = group["spec"]["persistentVolumeSpec"]
    assert volume["hostPath"] == {"path": "/models", "type": "Directory"}
    assert volume["nodeAffinity"]["required"]["nodeSelectorTerms"] == [
        {"matchExpressions": [{"key": "llm-serving/node-group", "operator": "In", "values": ["gpu"]}]}
    ]
    assert group["spec"]["storageLimit"] == volume["capacity"]["storage"] == "15Gi"


def test_each_node_has_room_for_all_models_of_its_group() -> None:
    given = stack(local(TWO))
    found = local_models(given)
    assert [one.model for one in found] == ["llama", "qwen"]
    assert kept(found, "gpu") == sum(one.size for one in found) > 29 * 1024**3
    assert kept(found, "other") == 0


def test_another_revision_is_another_object_since_the_source_of_one_cannot_change() -> None:
    (one,), (other,) = (local_models(stack(local({"models": {"llama": {"revision": commit * 40}}}))) for commit in "ab")
    assert one.name != other.name
    assert one.name.rpartition("-")[0] == other.name.rpartition("-")[0]


def test_names_without_a_namespace_carry_it_and_stay_short_enough_for_a_label() -> None:
    assert scoped("a", "b") == "a-b"
    long = [scoped("n" * 63, f"{'m' * 62}{end}") for end in "xy"]
    assert {len(one) for one in long} == {63}
    assert long[0] != long[1]


@pytest.mark.parametrize(
    ("patch", "chat", "secret"),
    [
        ({}, {}, "hugging-face-token"),
        ({"models": {"llama": {"gated": False}}}, {}, None),
        ({"huggingFaceToken": {"secretName": "mine", "configSecret": None}}, {}, "mine"),
        (BUCKET, SECRET, "bucket"),
    ],
)
def test_the_download_gets_the_credentials_that_it_needs(patch: Any, chat: Any, secret: str | None) -> None:
    result = registered(stack(local(patch, **chat)))
    (cache,) = of_kind(result, "LocalModelCache")
    accounts = [
        one
        for one in of_kind(result, "ServiceAccount")
        if one["metadata"]["namespace"] == local_model_spec.JOB_NAMESPACE
    ]
    assert [one["secrets"] for one in accounts] == ([[{"name": secret}]] if secret else [])
    assert ("serviceAccountName" in cache["spec"]) is bool(secret)


def test_a_token_of_the_configuration_is_in_the_jobs_namespace_too_under_the_key_that_the_download_reads() -> None:
    secrets = of_kind(registered(stack(local())), "Secret")
    assert sorted(one["metadata"]["namespace"] for one in secrets) == ["kserve-localmodel-jobs", "ml-serving"]
    assert {key for one in secrets for key in one["stringData"]} == {"HF_TOKEN"}


def test_caches_come_after_kserve_their_nodes_and_their_group_and_before_the_service() -> None:
    result = registered(stack(local()))
    waits = {one.inputs.get("kind"): one for one in result.resources if one.inputs.get("kind")}
    above = {one.urn: one for one in result.resources}
    # What a component waits for, its children wait for.
    depends = {
        kind: (*one.dependencies, *(above[one.parent].dependencies if one.parent in above else ()))
        for kind, one in waits.items()
    }
    urns = {one.inputs.get("kind") or one.type: one.urn for one in result.resources}
    assert urns["LocalModelCache"] in depends["InferenceService"]
    assert urns["LocalModelNodeGroup"] in depends["LocalModelCache"]
    assert urns["ClusterStorageContainer"] in depends["LocalModelCache"]
    assert urns["aws:eks/nodeGroup:NodeGroup"] in depends["LocalModelNodeGroup"]
    assert any("kserve-localmodel" in one for one in depends["LocalModelNodeGroup"])


def test_an_adopted_kserve_has_its_own_namespace_and_container_for_the_jobs() -> None:
    result = registered(stack(local({"platform": {"kserve": {"install": False}}})))
    assert of_kind(result, "ClusterStorageContainer") == []
    assert "kserve-localmodel-jobs" not in [one["metadata"]["name"] for one in of_kind(result, "Namespace")]
    assert len(of_kind(result, "LocalModelCache")) == 1


def test_the_jobs_container_keeps_to_restricted() -> None:
    result = registered(stack(local()))
    (container,) = of_kind(result, "ClusterStorageContainer")
    assert crds.errors(container) == []
    assert container["spec"]["workloadType"] == "localModelDownloadJob"
    security = container["spec"]["container"]["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert security["allowPrivilegeEscalation"] is False
    (namespace,) = [one for one in of_kind(result, "Namespace") if one["metadata"]["name"] == "kserve-localmodel-jobs"]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_services_pod_mounts_the_nodes_copy_and_copies_nothing() -> None:
    result = registered(stack(local()))
    (service,), (runtime,) = of_kind(result, "InferenceService"), of_kind(result, "ServingRuntime")
    (cache,) = of_kind(result, "LocalModelCache")
    assert crds.errors(service) == []
    made = kserve.deployment(kserve_local_models.admitted(service, [cache]), runtime)
    pod = kserve_local_models.with_storage(made)["spec"]["template"]["spec"]
    (waiting,) = pod["initContainers"]
    assert waiting["name"] == "wait-for-model"
    assert waiting["volumeMounts"] == [
        {
            "name": "kserve-pvc-source",
            "mountPath": "/mnt/models",
            "subPath": f"models/{kserve_local_models.key(URI)}/",
            "readOnly": True,
        }
    ]
    claims = [one["persistentVolumeClaim"] for one in pod["volumes"] if "persistentVolumeClaim" in one]
    assert claims == [{"claimName": f"{cache['metadata']['name']}-ml-serving-gpu"}]
    (mount,) = [one for one in pod["containers"][0]["volumeMounts"] if one["mountPath"] == "/mnt/models"]
    assert mount["readOnly"] is True
    assert mount["subPath"] == f"models/{kserve_local_models.key(URI)}/"
    assert {one["name"]: one.get("value") for one in pod["containers"][0]["env"]}["HF_HUB_OFFLINE"] == "1"


FILES: dict[str, tuple[list[str], bool]] = {
    "nothing": ([], False),
    "configuration alone": (["config.json"], False),
    "one file": (["config.json", "model.safetensors"], True),
    "one of two shards": (["config.json", "model.safetensors.index.json", "a.safetensors"], False),
    "both shards": (["config.json", "model.safetensors.index.json", "a.safetensors", "b.safetensors"], True),
    "a download that goes on": (
        ["config.json", "model.safetensors", ".cache/huggingface/download/x.incomplete"],
        False,
    ),
}


@pytest.mark.parametrize("found", FILES)
def test_the_engine_starts_only_with_a_whole_copy(found: str, tmp_path: Path) -> None:
    """The script itself, run until it ends or says that it waits."""
    names, whole = FILES[found]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        text = '{"weight_map": {"x": "a.safetensors", "y": "b.safetensors"}}' if name.endswith(".index.json") else "{}"
        (tmp_path / name).write_text(text)
    (service,) = of_kind(registered(stack(local())), "InferenceService")
    command = service["spec"]["predictor"]["initContainers"][0]["command"]
    with subprocess.Popen(
        [sys.executable, *command[1:-1], str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        said = process.stdout.readline()
        process.kill()
    assert bool(said) is not whole


def test_a_service_without_copies_takes_none_that_other_stacks_make() -> None:
    annotations = of_kind(registered(stack(kserve_patch())), "InferenceService")[0]["metadata"]["annotations"]
    assert annotations["serving.kserve.io/disable-localmodel"] == "true"
    assert "serving.kserve.io/nodegroup" not in annotations


def test_weights_on_the_nodes_disk_are_not_the_pods_and_need_no_way_out() -> None:
    cached, copied = (
        stack(local({"models": {"llama": {"localModelCache": on}}})).workloads["chat"] for on in (True, False)
    )
    weights = cached.model.weights_size or 0
    assert copied.resources.ephemeral_storage - cached.resources.ephemeral_storage >= weights
    assert (cached.downloads, copied.downloads) == (False, True)


def test_nodes_get_the_agents_label_a_taint_that_jobs_may_ignore_and_the_folder() -> None:
    given = stack(local())
    group = given.node_groups["gpu"]
    assert group.labels["kserve/localmodel"] == "worker"
    assert [(one.key, one.effect) for one in group.taints] == [("nvidia.com/gpu", "PreferNoSchedule")]
    assert [one["effect"] for one in group.tolerations] == ["PreferNoSchedule"]
    (template,) = [
        one.inputs for one in registered(given).resources if one.type == "aws:ec2/launchTemplate:LaunchTemplate"
    ]
    message = email.message_from_bytes(base64.b64decode(template["userData"]))
    scripts = [str(one.get_payload()) for one in message.walk() if not one.is_multipart()]
    assert [one.splitlines()[:2] for one in scripts] == [["#!/bin/bash", "install -d -m 0777 /models"]]


def test_other_groups_keep_their_taint() -> None:
    group = stack(local({"models": {"llama": {"localModelCache": False}}})).node_groups["gpu"]
    assert [one.effect for one in group.taints] == ["NoSchedule"]
    assert "kserve/localmodel" not in group.labels


def test_charts_bring_the_definitions_before_kserve_asks_for_caches() -> None:
    charts = [one.chart for one in stack(local()).operators["kserve"].charts]
    assert charts == ["kserve-crd", "kserve-localmodel-crd", "kserve-resources", "kserve-localmodel-resources"]


def test_a_model_of_unknown_size_still_makes_a_valid_object() -> None:
    found = LocalModel(model="m", name="a-m", source_uri="hf://a/m:b", size=0, groups=("g",), secret=None)
    assert local_model_spec.cache_spec(replace(found, size=0), "a")["modelSize"] == "1Mi"
