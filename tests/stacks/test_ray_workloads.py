"""The stack file's keys of workloads on Ray: what is refused, in which words, and what becomes of them."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from components.resolved_ray import RayModel, host, members, updates_beside
from components.service_address import service_name
from components.spec import GIB
from preview.report import report
from stacks.loader import load_file
from stacks.platform_kuberay import KubeRayOperator
from tests.preflight.case import BASE, merged, stack
from tests.preflight.cases_ray import SCALING, more, ray


def refused(tmp_path: Path, patch: dict[str, Any]) -> list[str]:
    """Messages about a stack file."""
    path = tmp_path / "Pulumi.test.yaml"
    path.write_text(
        yaml.safe_dump({"config": {"aws:region": "us-east-1", "llm-serving:stack": merged(BASE, patch)}}), "utf-8"
    )
    return [one.full_text().removeprefix("Pulumi.test.yaml:").split(": ", 1)[1] for one in load_file(path).problems]


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "neither": (
        ray(ray=None),
        "workloads.chat: needs either ray (a service of its own) or rayService (to join another one)",
    ),
    "both": (
        ray(rayService="other"),
        "workloads.chat: needs either ray (a service of its own) or rayService (to join another one)",
    ),
    "surge": (
        ray(rollout="surge"),
        "workloads.chat: rollout: surge is not for Ray; ray.upgradeStrategy says what an update does",
    ),
    "strategy": (
        ray(ray={"version": "2.60.0", "upgradeStrategy": "Recreate"}),
        "workloads.chat.ray.upgradeStrategy: expected one of NewCluster, NewClusterWithIncrementalUpgrade, None",
    ),
    "steps": (
        ray(ray={"version": "2.60.0", "upgradeStrategy": "NewClusterWithIncrementalUpgrade"}),
        "workloads.chat.ray: NewClusterWithIncrementalUpgrade needs incremental: {gatewayClassName: ...}",
    ),
    "bounds": (
        ray(autoscaling={**SCALING, "maxReplicas": 1}),
        "workloads.chat.autoscaling: maxReplicas 1 is below minReplicas 2",
    ),
    "start": (
        ray(replicas=5, autoscaling=SCALING),
        "workloads.chat: replicas 5, the copies at the start, must be from minReplicas 2 to maxReplicas 4",
    ),
    "port": (
        ray(more(servicePort=80)),
        "workloads.more: with rayService, servicePort and metrics are those of the service's own workload",
    ),
    "toleration": (
        ray(ray={"version": "2.60.0", "head": {"tolerations": [{"value": "x"}]}}),
        "workloads.chat.ray.head.tolerations[0]: operator Equal needs a key",
    ),
    "misspelt": (ray(ray={"version": "2.60.0", "hed": {}}), "workloads.chat.ray.hed: unknown key; did you mean head?"),
    "redis": (
        ray(ray={"version": "2.60.0", "redis": {"address": "redis://redis:6379"}}),
        "workloads.chat.ray.redis.address: ",
    ),
    "argument": (ray(engineKwargs={"mmProcessorCacheGb": 8}), "workloads.chat.engineKwargs.mmProcessorCacheGb: "),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_refused_at_its_place(name: str, tmp_path: Path) -> None:
    patch, says = MISTAKES[name]
    (message,) = refused(tmp_path, patch)
    assert message.startswith(says)


def test_a_right_stack_has_no_such_message(tmp_path: Path) -> None:
    assert refused(tmp_path, ray(more(), autoscaling=SCALING)) == []


def test_a_model_that_joins_a_service_has_that_services_name_and_strategy() -> None:
    workloads = stack(ray(more())).workloads
    own, joined = workloads["chat"], workloads["more"]
    assert [host(one) for one in (own, joined)] == ["chat", "chat"]
    assert [service_name(one) for one in (own, joined)] == ["chat-serve-svc"] * 2
    assert members(own, workloads) == (own, joined)
    assert members(joined, workloads) == (joined,)
    assert updates_beside(joined, workloads)


def test_a_deployment_knows_nothing_of_ray() -> None:
    workloads = stack({}).workloads
    assert host(workloads["chat"]) == service_name(workloads["chat"]) == "chat"
    assert not updates_beside(workloads["chat"], workloads)


@pytest.mark.parametrize(
    ("chat", "says"),
    [
        ({}, "second Ray cluster first"),
        ({"ray": {"version": "2.60.0", "upgradeStrategy": "None"}}, "by hand: down for up to"),
        (
            {"kind": "RayCluster", "ray": {"version": "2.60.0", "upgradeStrategy": "Recreate"}},
            "all pods at once: down for up to",
        ),
    ],
)
def test_the_plan_says_what_an_update_does(chat: dict[str, Any], says: str) -> None:
    found = report(stack(ray(**chat)), [])
    assert found.placements[0].update.startswith(says)
    assert "service/chat-serve-svc 8000:8000" in found.requests["chat"]


def test_a_copy_spans_as_many_pods_as_it_needs_nodes() -> None:
    sizes = {"tensorParallelSize": 8, "pipelineParallelSize": 4}
    found = stack(ray(engine=sizes, replicas=1)).workloads["chat"]
    assert (found.group_size, found.pods, found.gpus, found.resources.gpus) == (4, 4, 32, 8)


def test_the_head_is_what_the_stack_file_says() -> None:
    head = {"cpu": "4", "memory": "16Gi", "nodeSelector": {"role": "system"}, "tolerations": [{"operator": "Exists"}]}
    settings = stack(ray(ray={"version": "2.60.0", "head": head})).workloads["chat"].settings
    assert isinstance(settings, RayModel)
    assert settings.cluster is not None
    found = settings.cluster.head
    assert (found.cpu_millis, found.memory, found.object_store) == (4000, 16 * GIB, GIB)
    assert found.node_selector == {"role": "system"}
    assert found.tolerations == ({"operator": "Exists"},)


@pytest.mark.parametrize(
    ("engine", "image"),
    [
        ({}, "rayproject/ray-llm:2.60.0-py312-cu130"),
        ({"image": "mirror.example.com/ray-llm"}, "mirror.example.com/ray-llm:2.60.0-py312-cu130"),
        ({"image": "mirror.example.com:5000/ray:own"}, "mirror.example.com:5000/ray:own"),
        ({"imageDigest": "sha256:" + "a" * 64}, "rayproject/ray-llm:2.60.0-py312-cu130@sha256:" + "a" * 64),
    ],
)
def test_the_image_is_that_of_the_release_or_your_own(engine: dict[str, Any], image: str) -> None:
    settings = stack(ray(engine=engine)).workloads["chat"].settings
    assert settings.cluster.image == image


def test_the_operator_is_one_pinned_chart_or_adopted() -> None:
    spec = KubeRayOperator(watch_namespaces=["ml-serving"])
    (chart,) = spec.operator("kuberay").charts
    assert (chart.chart, chart.version, chart.namespace) == ("kuberay-operator", "1.7.0", "kuberay-system")
    assert chart.values == {
        "image": {"repository": "quay.io/kuberay/operator", "tag": "v1.7.0"},
        "watchNamespace": ["ml-serving"],
    }
    adopted = KubeRayOperator(install=False, namespace="operators").operator("kuberay")
    assert (adopted.charts, adopted.namespace) == ((), "operators")
