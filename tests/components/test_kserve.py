"""What the KServe components register, and the pods that KServe makes of it."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from components import kserve_spec, pods
from components.kserve_runtime import KServeRuntime, KServeRuntimeArgs
from components.model_inference_service import ModelInferenceService, ModelInferenceServiceArgs
from components.resolved import Workload
from preview.run import Run, run
from tests import crds, kserve
from tests.components.test_model_deployment import DNS, INTERNET, LABELS, METADATA, SELECTOR
from tests.preflight.case import COMMIT, merged, stack
from tests.preflight.cases_kserve import BUCKET, HUB, QUERY, ROLE, SCALING
from tests.preflight.cases_kserve import kserve as patched

ENGINES = {
    "vllm": {"name": "vllm", "version": "0.33.0", "maxModelLen": 8192},
    "sglang": {"name": "sglang", "version": "0.5.23", "maxModelLen": None},
    "huggingface": {"name": "huggingface", "version": "0.20.0", "maxModelLen": 8192},
    "tgi": {"name": "tgi", "version": "3.3.7", "maxModelLen": None},
    "tensorrt-llm": {"name": "tensorrt-llm", "version": "1.2.1", "maxModelLen": None},
}
STORAGE = {"volume": {}, "s3": BUCKET, "hub": HUB}
URIS = {
    "volume": f"pvc://weights/llama/{COMMIT[:12]}",
    "s3": "s3://models/llama",
    "hub": f"hf://meta-llama/Llama-3.1-8B-Instruct:{COMMIT}",
}
LORA = {"models": {"sql": {"id": "example/sql-lora", "revision": COMMIT}}}
LORA_ENGINE = {"enableLora": True, "loraModules": [{"name": "sql", "model": "sql"}]}


def service_of(patch: dict[str, Any] | None = None, **chat: Any) -> Workload:
    return stack(patched(patch, **chat)).workloads["chat"]


def plain(patch: dict[str, Any] | None = None, **chat: Any) -> Workload:
    """The same workload as a Deployment."""
    return stack(merged({"workloads": {"chat": chat}}, patch or {})).workloads["chat"]


def registered(given: Workload, *, cluster_scoped: bool = False, mode: str = "Standard") -> Run:
    def program() -> None:
        runtime = KServeRuntime(
            given.settings.runtime, KServeRuntimeArgs(workload=given, cluster_scoped=cluster_scoped)
        )
        arguments = ModelInferenceServiceArgs(workload=given, deployment_mode=mode, after=[runtime.runtime])
        ModelInferenceService("chat", arguments)

    return run(program, project="llm-serving", stack="test", config={})


def objects(result: Run) -> dict[str, dict[str, Any]]:
    found = [one.inputs for one in result.resources if one.type.startswith("kubernetes:")]
    assert max(Counter(one["kind"] for one in found).values()) == 1
    return {one["kind"]: one for one in found}


def kserve_deployment(given: Workload) -> dict[str, Any]:
    """What KServe's controller and webhook make of it."""
    found = objects(registered(given))
    return kserve.with_storage(kserve.deployment(found["InferenceService"], found["ServingRuntime"]))


def flat(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every leaf with its path; lists of named things by name, mounts by their path, so that order doesn't count there."""
    if isinstance(value, dict) and value:
        for key, one in value.items():
            yield from flat(one, (*path, key))
    elif isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        for index, one in enumerate(value):
            key = one.get("mountPath") or one.get("name") or str(index)
            yield from flat(one, (*path, key))
    else:
        yield path, value


def differences(alone: dict[str, Any], theirs: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Leaves of a Deployment's pod and of KServe's where they differ; the containers are compared whatever their names."""
    left, right = dict(_leaves(alone)), dict(_leaves(theirs))
    paths = sorted(left.keys() | right.keys())
    return {"/".join(one): (left.get(one), right.get(one)) for one in paths if left.get(one) != right.get(one)}


def _leaves(pod: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], Any]]:
    (container,) = pod["containers"]
    yield from flat({key: value for key, value in pod.items() if key != "containers"})
    yield from flat(container, ("container",))


def adopted(storage: str, given: Workload) -> dict[str, tuple[Any, Any]]:
    """Where the weights come from: our volume against KServe's."""
    if storage != "volume":
        uri = URIS[storage]
        volume = "kserve-provision-location"
        initializer = flat(kserve.INITIALIZER, ("initContainers", "storage-initializer"))
        return {
            **{"/".join(path): (None, value) for path, value in initializer},
            "initContainers/storage-initializer/args": (None, [uri, "/mnt/models"]),
            "initContainers/storage-initializer/volumeMounts//mnt/models/mountPath": (None, "/mnt/models"),
            "initContainers/storage-initializer/volumeMounts//mnt/models/name": (None, volume),
            "container/volumeMounts//mnt/models/mountPath": (None, "/mnt/models"),
            "container/volumeMounts//mnt/models/name": (None, volume),
            "container/volumeMounts//mnt/models/readOnly": (None, True),
            f"volumes/{volume}/emptyDir": (None, {}),
            f"volumes/{volume}/name": (None, volume),
        }
    ours = given.engine.WEIGHTS_PATH
    return {
        f"container/volumeMounts/{ours}/mountPath": (ours, None),
        f"container/volumeMounts/{ours}/name": ("weights", None),
        f"container/volumeMounts/{ours}/readOnly": (True, None),
        "container/volumeMounts//mnt/models/mountPath": (None, "/mnt/models"),
        "container/volumeMounts//mnt/models/name": (None, "kserve-pvc-source"),
        "container/volumeMounts//mnt/models/readOnly": (None, True),
        "container/volumeMounts//mnt/models/subPath": (None, f"llama/{COMMIT[:12]}"),
        "volumes/weights/name": ("weights", None),
        "volumes/weights/persistentVolumeClaim/claimName": ("weights", None),
        "volumes/weights/persistentVolumeClaim/readOnly": (True, None),
        "volumes/kserve-pvc-source/name": (None, "kserve-pvc-source"),
        "volumes/kserve-pvc-source/persistentVolumeClaim/claimName": (None, "weights"),
    }


@pytest.mark.parametrize("storage", STORAGE)
@pytest.mark.parametrize("engine", ENGINES)
def test_the_merged_pod_is_the_deployments_but_for_a_table_of_differences(engine: str, storage: str) -> None:
    patch, keys = STORAGE[storage], {"engine": ENGINES[engine], **({"awsRole": ROLE} if storage == "s3" else {})}
    given, alone = service_of(patch, **keys), plain(patch, **keys)
    theirs = kserve_deployment(given)["spec"]["template"]["spec"]
    found = differences(pods.pod_spec(alone), theirs)
    # The model's folder and the name that clients send are the kind's; the startup time follows the copy of the weights.
    computed = {
        "container/args",
        "container/startupProbe/failureThreshold",
        "container/env/VLLM_ENGINE_READY_TIMEOUT_S/value",
    }
    ephemeral = {
        key for key in found if key.endswith("/ephemeral-storage") or key == "volumes/cache/emptyDir/sizeLimit"
    }
    expected = {
        "container/name": ("engine", "kserve-container"),
        "container/env/INFERENCE_SERVICE_NAME/name": (None, "INFERENCE_SERVICE_NAME"),
        "container/env/INFERENCE_SERVICE_NAME/value": (None, "chat"),
        **adopted(storage, alone),
    }
    ours, kserves = (one.engine.health_path(one.launch) for one in (alone, given))
    if ours != kserves:
        probes = ("startupProbe", "readinessProbe", "livenessProbe")
        expected |= {f"container/{probe}/httpGet/path": (ours, kserves) for probe in probes}
    if storage == "hub":
        # KServe's init container downloads, with the token of the ServiceAccount's Secret.
        expected |= {
            "container/env/HF_HUB_OFFLINE/name": (None, "HF_HUB_OFFLINE"),
            "container/env/HF_HUB_OFFLINE/value": (None, "1"),
            "container/env/HF_TOKEN/name": ("HF_TOKEN", None),
            "container/env/HF_TOKEN/valueFrom/secretKeyRef/name": ("hf-token", None),
            "container/env/HF_TOKEN/valueFrom/secretKeyRef/key": ("token", None),
        }
    assert {key: value for key, value in found.items() if key not in computed | ephemeral} == expected
    # Only weights that KServe copies where the engine would have read them from S3 itself take disk of the node.
    assert bool(ephemeral) is (storage == "s3")
    ours, merged_args = found["container/args"]
    renamed = {alone.launch.model: "/mnt/models", alone.launch.served_name: "chat"}
    # A repository of the Hub and a folder have options of their own in the Hugging Face runtime.
    folder = (one.replace("--model_id=", "--model_dir=") for one in ours if not one.startswith(_FETCHING))
    parts = (one.rpartition("=") for one in folder)
    assert merged_args == [f"{option}{sign}{renamed.get(value, value)}" for option, sign, value in parts]


_FETCHING = ("--revision=", "--hf_revision=", "--model_revision=")
"""Options of an engine that fetches the weights from the Hub itself."""


def test_the_deployment_that_kserve_makes_is_replaced_in_place() -> None:
    given = service_of(replicas=3)
    spec = kserve_deployment(given)["spec"]
    assert spec["replicas"] == 3
    assert spec["strategy"] == {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}
    surging = kserve_deployment(service_of(rollout="surge"))["spec"]
    assert surging["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


def test_a_single_replica_is_recreated_so_that_ready_means_a_pod_that_serves() -> None:
    assert kserve_deployment(service_of(replicas=1))["spec"]["strategy"] == {"type": "Recreate"}
    # With spare GPUs the old pod serves on; an autoscaler may have more than one at the time of the update.
    for given in (service_of(replicas=1, rollout="surge"), service_of(replicas=None, autoscaling=SCALING)):
        assert kserve_deployment(given)["spec"]["strategy"]["type"] == "RollingUpdate"


def test_an_autoscaler_owns_the_number_of_replicas() -> None:
    assert "replicas" not in kserve_deployment(service_of(replicas=None, autoscaling=SCALING))["spec"]


def test_policy_and_budget_select_kserves_pods_and_nothing_of_kserves_labels_is_ours() -> None:
    given = service_of()
    found, made = objects(registered(given)), kserve_deployment(given)
    labels = made["spec"]["template"]["metadata"]["labels"]
    for selector in (
        found["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
        found["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
    ):
        assert selector.items() <= labels.items()
    assert not {"app", "component", "serving.kserve.io/inferenceservice"} & pods.labels(given).keys()


def test_the_url_is_that_of_kserves_service() -> None:
    given = service_of()
    made = kserve.service(kserve_deployment(given))
    (port,) = made["spec"]["ports"]
    assert (port["port"], port["targetPort"]) == (80, 8000)
    urn = "urn:pulumi:test::llm-serving::llm-serving:index:ModelInferenceService::chat"
    outputs = next(one.outputs for one in registered(given).resources if one.urn == urn)
    assert outputs["service_name"] == made["metadata"]["name"]
    assert outputs["url"] == f"http://{made['metadata']['name']}.{made['metadata']['namespace']}.svc/v1"


@pytest.mark.parametrize("storage", STORAGE)
def test_kserve_gets_the_weights_from_where_the_stack_says(storage: str) -> None:
    given = service_of(STORAGE[storage], **({"awsRole": ROLE} if storage == "s3" else {}))
    assert objects(registered(given))["InferenceService"]["spec"]["predictor"]["model"]["storageUri"] == URIS[storage]


@pytest.mark.parametrize("storage", ["s3", "hub"])
def test_a_copy_of_the_weights_fits_the_ephemeral_storage_that_the_pod_asks_for(storage: str) -> None:
    given = service_of(STORAGE[storage], awsRole=ROLE)
    # The kubelet adds up emptyDirs, logs and writable layers, and evicts a pod above its containers' limits.
    assert given.model.weights_size is not None
    assert given.resources.ephemeral_storage >= given.model.weights_size + given.resources.tmp
    assert given.resources.ephemeral_storage - service_of().resources.ephemeral_storage >= given.model.weights_size


@pytest.mark.parametrize("storage", ["s3", "hub"])
def test_the_network_policy_lets_the_storage_initializer_out(storage: str) -> None:
    given = service_of(STORAGE[storage], **({"storageSecret": "bucket-keys"} if storage == "s3" else {}))
    assert objects(registered(given))["NetworkPolicy"]["spec"]["egress"] == [DNS, INTERNET]
    assert objects(registered(service_of()))["NetworkPolicy"]["spec"]["egress"] == [DNS]


def test_the_token_reaches_the_storage_initializer_and_not_the_engine() -> None:
    found = objects(registered(service_of(HUB)))
    assert found["ServiceAccount"]["secrets"] == [{"name": "hf-token"}]
    assert "hf-token" not in str(found["InferenceService"])


@pytest.mark.parametrize("storage", ["volume", "hub"])
def test_adapters_from_the_hub_are_fetched_by_the_engine_as_in_a_deployment(storage: str) -> None:
    patch = merged(STORAGE[storage], LORA)
    (container,) = kserve_deployment(service_of(patch, engine=LORA_ENGINE))["spec"]["template"]["spec"]["containers"]
    (alone,) = pods.pod_spec(plain(patch, engine=LORA_ENGINE))["containers"]
    env = {one["name"]: one for one in container["env"]}
    assert "HF_HUB_OFFLINE" not in env
    assert env["HF_TOKEN"] == next(one for one in alone["env"] if one["name"] == "HF_TOKEN")


def test_adapters_in_the_volume_are_mounted_where_the_arguments_say() -> None:
    patch = merged(LORA, {"models": {"sql": {"volume": "weights"}}})
    (container,) = kserve_deployment(service_of(patch, engine=LORA_ENGINE))["spec"]["template"]["spec"]["containers"]
    mounted = {one["mountPath"]: one["name"] for one in container["volumeMounts"]}
    assert (mounted["/models"], mounted["/mnt/models"]) == ("weights", "kserve-pvc-source")
    assert any('"path":"/models/sql/' in one for one in container["args"])


def test_secrets_for_s3_are_named_in_the_annotation_that_kserve_reads() -> None:
    given = service_of(BUCKET, storageSecret="bucket-keys")
    annotations = objects(registered(given))["InferenceService"]["metadata"]["annotations"]
    assert annotations["serving.kserve.io/secretName"] == "bucket-keys"


def test_pulumi_waits_for_ready_as_long_as_a_start_with_its_copy_may_take() -> None:
    given = service_of(HUB)
    (found,) = (one for one in registered(given).resources if one.inputs.get("kind") == "InferenceService")
    assert found.inputs["metadata"]["annotations"]["pulumi.com/waitFor"] == "condition=Ready"
    assert found.custom_timeouts["create"] == found.custom_timeouts["update"]
    seconds = int(found.custom_timeouts["create"].removesuffix("s"))
    # Two replicas, one after the other: each copies, and then has the time of a Deployment's replica.
    assert given.startup.load > 0
    assert seconds >= 2 * (given.startup.load + given.startup.progress_deadline)
    assert kserve_spec.ready_timeout(service_of()) == service_of().startup.rollout_timeout
    patterns = ("ServingRuntime::vllm-0-33-0", "ServiceAccount::chat", "NetworkPolicy::chat")
    for pattern in patterns:
        assert any(one.endswith(pattern) for one in found.dependencies), pattern


SPELLINGS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "a volume": ({}, {}),
    "s3 by role": (BUCKET, {"awsRole": ROLE}),
    "s3 by secret": (BUCKET, {"storageSecret": "bucket-keys"}),
    "the hub": (HUB, {}),
    "an adapter": (LORA, {"engine": LORA_ENGINE}),
    "sglang": ({}, {"engine": ENGINES["sglang"]}),
    "tgi": ({}, {"engine": ENGINES["tgi"]}),
    "the horizontal pod autoscaler": ({}, {"replicas": None, "autoscaling": SCALING}),
    "keda": ({}, {"replicas": None, "autoscaling": {"minReplicas": 0, "maxReplicas": 2, "prometheus": QUERY}}),
    "a pod monitor": ({}, {"metrics": "podMonitor"}),
    "surge": ({}, {"rollout": "surge"}),
    "knative's keys": ({}, {"canaryTrafficPercent": 10, "containerConcurrency": 4, "timeoutSeconds": 600}),
}


@pytest.mark.parametrize("cluster_scoped", [False, True])
@pytest.mark.parametrize("name", SPELLINGS)
def test_every_custom_resource_obeys_its_definition(name: str, cluster_scoped: bool) -> None:
    patch, keys = SPELLINGS[name]
    found = objects(registered(service_of(patch, **keys), cluster_scoped=cluster_scoped))
    runtime = "ClusterServingRuntime" if cluster_scoped else "ServingRuntime"
    assert {"InferenceService", runtime} <= found.keys()
    for one in found.values():
        if "." in one["apiVersion"].partition("/")[0] and not one["apiVersion"].startswith(
            ("networking.k8s.io", "policy")
        ):
            assert crds.errors(one) == []
    assert ("namespace" in found[runtime]["metadata"]) is not cluster_scoped


@pytest.mark.parametrize(
    ("kind", "path", "key"),
    [
        ("InferenceService", ("spec", "predictor"), "minReplica"),
        ("InferenceService", ("spec", "predictor", "model"), "storageURI"),
        ("ServingRuntime", ("spec",), "supportedModelFormat"),
    ],
)
def test_a_misspelt_key_of_ours_would_be_seen(kind: str, path: tuple[str, ...], key: str) -> None:
    found = objects(registered(service_of()))[kind]
    inside = found
    for one in path:
        inside = inside[one]
    inside[key] = 1
    assert any(key in one for one in crds.errors(found))


def test_a_runtime_of_another_engine_is_refused_as_kserve_refuses_it() -> None:
    mine = objects(registered(service_of()))["InferenceService"]
    other = objects(registered(service_of(engine=ENGINES["sglang"])))["ServingRuntime"]
    with pytest.raises(ValueError, match="does not support specified framework/version"):
        kserve.deployment(mine, other)


def test_the_runtime_holds_what_services_share_and_the_service_the_rest() -> None:
    found = objects(registered(service_of()))
    (shared,) = found["ServingRuntime"]["spec"]["containers"]
    own = found["InferenceService"]["spec"]["predictor"]["model"]
    assert {"image", "command", "ports", "readinessProbe", "livenessProbe", "securityContext"} <= shared.keys()
    assert {"args", "env", "resources", "startupProbe", "lifecycle", "volumeMounts"} <= own.keys()
    assert shared.keys() & own.keys() == {"securityContext"}
    assert shared["securityContext"] == own["securityContext"]


@pytest.mark.parametrize("metrics", ["annotations", "podMonitor"])
def test_the_pods_have_the_labels_and_annotations_of_a_deployments(metrics: str) -> None:
    given = service_of(metrics=metrics)
    made = kserve_deployment(given)["spec"]["template"]["metadata"]
    alone = pods.pod_template(plain(metrics=metrics))["metadata"]
    assert alone["labels"].items() <= made["labels"].items()
    assert alone.get("annotations", {}).items() <= made["annotations"].items()
    assert ("prometheus.io/scrape" in made["annotations"]) is (metrics == "annotations")


def test_services_of_one_engine_and_version_share_a_runtime() -> None:
    small = objects(registered(service_of()))["ServingRuntime"]
    big = objects(registered(service_of(replicas=1, engine={"maxModelLen": 4096, "tensorParallelSize": 2})))[
        "ServingRuntime"
    ]
    assert small == big
    assert objects(registered(service_of(engine={"version": "0.32.0"})))["ServingRuntime"] != small


def test_the_objects_around_it() -> None:
    found = objects(registered(service_of()))
    assert found.keys() == {
        "ServingRuntime",
        "ServiceAccount",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "InferenceService",
    }
    assert found["PodDisruptionBudget"]["spec"] == {
        "maxUnavailable": 1,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": {"matchLabels": SELECTOR},
    }
    for kind in ("ServiceAccount", "NetworkPolicy", "PodDisruptionBudget"):
        assert found[kind]["metadata"] == METADATA
    assert found["ServiceAccount"]["automountServiceAccountToken"] is False
    assert found["InferenceService"]["metadata"]["labels"] == {
        **LABELS,
        "networking.kserve.io/visibility": "cluster-local",
    }
