"""Copies of an LLMInferenceService that only prefill: what is registered, and the pods that KServe makes of it."""

import json
from typing import Any

import pytest

from components.kserve_prefill_spec import SIDECAR_MEMORY
from components.pods import container_resources, pod_spec
from components.resolved import Workload
from components.spec import to_bytes, to_millis
from preview.registered import Registered
from tests import crds, kserve_llm
from tests.components.test_llm_inference_service import STORAGE, one, registered, service, unrestricted, workload
from tests.preflight.case import stack
from tests.preflight.cases_kserve_llm import SPLIT, llm

SIDECAR = "llm-d-routing-sidecar"


def split(storage: str = "volume", **chat: Any) -> Workload:
    return workload(storage, **{**SPLIT, "prefill": {"replicas": 3}, **chat})


def made(given: Workload) -> tuple[dict[str, Any], dict[str, Any]]:
    """The two Deployments: of the pods that decode, and of those that prefill."""
    found = service(given)
    return kserve_llm.deployment(found), kserve_llm.prefill(found)


def pod(deployment: dict[str, Any]) -> dict[str, Any]:
    return deployment["spec"]["template"]["spec"]


def main(deployment: dict[str, Any]) -> dict[str, Any]:
    (container,) = pod(deployment)["containers"]
    return container


def sidecar(deployment: dict[str, Any]) -> dict[str, Any]:
    return next(item for item in pod(deployment)["initContainers"] if item["name"] == SIDECAR)


def labels(deployment: dict[str, Any]) -> dict[str, str]:
    return deployment["spec"]["template"]["metadata"]["labels"]


def transfer(container: dict[str, Any]) -> dict[str, Any]:
    option = "--kv-transfer-config="
    return next(json.loads(item.removeprefix(option)) for item in container["args"] if item.startswith(option))


@pytest.mark.parametrize("metrics", ["annotations", "podMonitor"])
@pytest.mark.parametrize("storage", STORAGE)
def test_the_object_obeys_its_definition(storage: str, metrics: str) -> None:
    assert crds.errors(service(split(storage, metrics=metrics))) == []


def test_kserve_makes_the_copies_that_the_stack_counts() -> None:
    given = split()
    decode, prefill = made(given)
    assert (decode["spec"]["replicas"], prefill["spec"]["replicas"]) == (2, 3)
    assert given.pods == given.gpus == 5
    assert (decode["metadata"]["name"], prefill["metadata"]["name"]) == ("chat-kserve", "chat-kserve-prefill")


def test_a_workload_without_copies_has_none_that_prefill() -> None:
    given = split(replicas=0)
    decode, prefill = made(given)
    assert (decode["spec"]["replicas"], prefill["spec"]["replicas"], given.pods) == (0, 0, 0)


@pytest.mark.parametrize("storage", STORAGE)
def test_engines_differ_in_their_port_and_their_side_of_the_cache_alone(storage: str) -> None:
    decode, prefill = (main(one) for one in made(split(storage)))
    assert transfer(decode) == {"kv_connector": "NixlConnector", "kv_role": "kv_consumer"}
    assert transfer(prefill) == {"kv_connector": "NixlConnector", "kv_role": "kv_producer"}
    alike = [
        {item for item in container["args"] if not item.startswith(("--port=", "--kv-transfer-config="))}
        for container in (decode, prefill)
    ]
    assert alike[0] == alike[1]
    assert "--port=8001" in decode["args"]
    assert "--port=8000" in prefill["args"]
    assert {item["name"]: item for item in decode["env"]} == {item["name"]: item for item in prefill["env"]}
    same = ("image", "command", "securityContext", "lifecycle", "terminationMessagePolicy")
    assert {key: decode[key] for key in same} == {key: prefill[key] for key in same}


@pytest.mark.parametrize("storage", STORAGE)
def test_pods_that_prefill_are_those_of_a_deployment_but_for_the_cache_and_what_kserve_adds(storage: str) -> None:
    given = split(storage)
    _, prefill = made(given)
    expected = pod_spec(given)
    (alone,) = expected["containers"]
    container = main(prefill)
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe] == {**alone[probe], "httpGet": {**alone[probe]["httpGet"], "scheme": "HTTP"}}
    assert container["resources"] == alone["resources"]
    kept = ("securityContext", "terminationGracePeriodSeconds", "nodeSelector", "tolerations", "serviceAccountName")
    assert {key: pod(prefill)[key] for key in kept} == {key: expected[key] for key in kept}
    names = [item["name"] for item in pod(prefill).get("initContainers", [])]
    assert names == ([] if storage == "volume" else ["storage-initializer"])


@pytest.mark.parametrize("storage", STORAGE)
def test_every_pod_asks_a_node_for_the_same(storage: str) -> None:
    given = split(storage)
    decode, prefill = made(given)

    def total(*containers: dict[str, Any]) -> tuple[int, int, int]:
        asked = [one["resources"]["requests"] for one in containers]
        return (
            sum(to_millis(one["cpu"]) for one in asked),
            sum(to_bytes(one["memory"]) for one in asked),
            sum(to_bytes(one["ephemeral-storage"]) for one in asked),
        )

    assert total(main(decode), sidecar(decode)) == total(main(prefill))
    assert main(prefill)["resources"] == container_resources(given)
    assert given.resources.memory == workload(storage).resources.memory + SIDECAR_MEMORY
    if storage != "volume":
        (initializer,) = (item for item in pod(decode)["initContainers"] if item["name"] == "storage-initializer")
        # It runs beside the sidecar, which is there from the start.
        assert initializer["resources"]["limits"]["memory"] == main(decode)["resources"]["limits"]["memory"]


def test_the_sidecar_leaves_most_of_a_small_pod_to_the_engine() -> None:
    decode, _ = made(split(resources={"cpu": "400m", "memory": "1Gi", "shm": "64Mi", "ephemeralStorage": "256Mi"}))
    asked = sidecar(decode)["resources"]["requests"]
    assert asked == {"cpu": "100m", "memory": "256Mi", "ephemeral-storage": "64Mi"}
    assert main(decode)["resources"]["requests"]["cpu"] == "300m"


def test_requests_reach_the_sidecar_and_the_sidecar_reaches_the_engine() -> None:
    given = split()
    decode, prefill = made(given)
    front = sidecar(decode)
    target = kserve_llm.service(service(given))["spec"]["ports"][0]["targetPort"]
    assert [item["containerPort"] for item in front["ports"]] == [target]
    assert [item["containerPort"] for item in main(prefill)["ports"]] == [target]
    (engine,) = main(decode)["ports"]
    assert f"--port={target}" in front["command"]
    assert f"--vllm-port={engine['containerPort']}" in front["command"]
    assert f"--port={engine['containerPort']}" in main(decode)["args"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        action = main(decode)[probe]["httpGet"]
        assert (action["port"], action["scheme"]) == (engine["name"], "HTTP")


def test_the_sidecar_asks_nothing_of_the_api_server_and_has_no_token() -> None:
    decode, _ = made(split())
    front = sidecar(decode)
    assert "--enable-ssrf-protection=false" in front["command"]
    assert not any("inference-pool" in item for item in front["command"])
    assert pod(decode)["automountServiceAccountToken"] is False
    assert not any("projected" in item for item in pod(decode)["volumes"])


def test_of_the_presets_sidecar_stay_its_image_a_mount_and_two_variables() -> None:
    decode, _ = made(split())
    front = sidecar(decode)
    assert front["image"] == "ghcr.io/llm-d/llm-d-router-disagg-sidecar:v0.9.0"
    assert front["restartPolicy"] == "Always"
    assert [item["mountPath"] for item in front["volumeMounts"]] == ["/var/run/kserve/tls"]
    assert {item["name"] for item in front["env"]} == {
        "INFERENCE_POOL_NAMESPACE",
        "SSL_CERT_DIR",
        "INFERENCE_POOL_NAME",
    }
    for probe in ("readinessProbe", "livenessProbe"):
        assert front[probe]["httpGet"] == {"path": "/health", "port": "http", "scheme": "HTTP"}
        assert front[probe]["initialDelaySeconds"] == 10
    assert front["securityContext"]["readOnlyRootFilesystem"] is True


@pytest.mark.parametrize("storage", STORAGE)
def test_the_pods_are_fit_for_restricted(storage: str) -> None:
    for deployment in made(split(storage)):
        assert unrestricted(pod(deployment)) == []


def test_the_sidecar_starts_before_the_weights_are_copied() -> None:
    decode, _ = made(split("s3"))
    assert [item["name"] for item in pod(decode)["initContainers"]] == [SIDECAR, "storage-initializer"]


def test_each_kind_of_pod_has_a_budget_of_its_own() -> None:
    given = split()
    budgets = [item for item in registered(given).resources if item.type.endswith(":PodDisruptionBudget")]
    selectors = [item.inputs["spec"]["selector"]["matchLabels"].items() for item in budgets]
    assert [item.inputs["metadata"]["name"] for item in budgets] == ["chat", "chat-kserve-prefill"]
    for deployment, own in zip(made(given), selectors, strict=True):
        # Two budgets for one pod would keep it from being evicted.
        assert [chosen for chosen in selectors if chosen <= labels(deployment).items()] == [own]


def test_each_kind_of_pod_is_spread_by_itself() -> None:
    decode, prefill = made(split())
    for own, other in ((decode, prefill), (prefill, decode)):
        constraints = pod(own)["topologySpreadConstraints"]
        assert len(constraints) == 2
        for constraint in constraints:
            chosen = constraint["labelSelector"]["matchLabels"].items()
            assert chosen <= labels(own).items()
            assert not chosen <= labels(other).items()
    _, single = made(split(prefill={"replicas": 1}))
    assert "topologySpreadConstraints" not in pod(single)


def test_the_policy_lets_the_pods_reach_each_other_and_callers_the_api_alone() -> None:
    given = split()
    policy = one(registered(given), "NetworkPolicy").inputs["spec"]
    chosen = policy["podSelector"]["matchLabels"]
    for deployment in made(given):
        assert chosen.items() <= labels(deployment).items()
    peers = [{"podSelector": {"matchLabels": chosen}}]
    assert {"from": peers} in policy["ingress"]
    assert {"to": peers} in policy["egress"]
    ports = [rule["ports"] for rule in policy["ingress"] if rule["from"] != peers]
    assert ports == [[{"protocol": "TCP", "port": 8000}]]
    alone = one(registered(workload(router=SPLIT["router"])), "NetworkPolicy").inputs["spec"]
    assert all("ports" in rule for rule in alone["ingress"])


def test_monitors_find_both_kinds_at_the_port_that_callers_use() -> None:
    given = split(metrics="podMonitor")
    monitor: Registered = one(registered(given), "PodMonitor")
    chosen = monitor.inputs["spec"]["selector"]["matchLabels"].items()
    (endpoint,) = monitor.inputs["spec"]["podMetricsEndpoints"]
    decode, prefill = made(given)
    for deployment, container in ((decode, sidecar(decode)), (prefill, main(prefill))):
        assert chosen <= labels(deployment).items()
        named = {item["name"]: item["containerPort"] for item in container["ports"]}
        assert named[endpoint["port"]] == 8000
    for deployment in made(split()):
        assert deployment["spec"]["template"]["metadata"]["annotations"]["prometheus.io/port"] == "8000"


def test_the_service_reaches_both_kinds_of_pod() -> None:
    given = split()
    chosen = kserve_llm.service(service(given))["spec"]["selector"].items()
    assert all(chosen <= labels(deployment).items() for deployment in made(given))


def test_pulumi_waits_for_one_start_after_the_other() -> None:
    given, alone = split(), workload(router=SPLIT["router"])
    assert given.startup.rollout_timeout == 5 * given.startup.progress_deadline
    assert alone.startup.rollout_timeout == 2 * alone.startup.progress_deadline


def test_an_engine_that_kserve_cannot_split_is_left_as_it_is() -> None:
    """Rule KSV021 refuses it."""
    given = stack(llm(**SPLIT, engine={"name": "sglang", "version": "0.5.23", "maxModelLen": None})).workloads["chat"]
    assert given.settings.prefill_args == given.args
