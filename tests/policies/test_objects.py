"""Finding the pods in every kind, counting their GPUs, and matching them with label selectors."""

from typing import Any

import pytest

from policies.arguments import is_vllm, option, words
from policies.label_selectors import selects
from policies.lifecycle import share
from policies.objects import Pod, Resource, gpus, pods
from policies.view import UNKNOWN, UnknownValueRead, View

GPU = {"containers": [{"name": "a", "resources": {"limits": {"nvidia.com/gpu": "2"}}}]}
TEMPLATE = {"metadata": {"labels": {"app": "chat"}}, "spec": GPU}
RAY = {"headGroupSpec": {"template": TEMPLATE}, "workerGroupSpecs": [{"template": TEMPLATE}, {"template": TEMPLATE}]}


def resource(token: str, props: Any) -> Resource:
    return Resource(urn="urn", type=token, name="one", props=View(props))


@pytest.mark.parametrize(
    ("token", "props", "count"),
    [
        ("kubernetes:core/v1:Pod", TEMPLATE, 1),
        ("kubernetes:core/v1:ReplicationController", {"spec": {"template": TEMPLATE}}, 1),
        ("kubernetes:apps/v1:Deployment", {"spec": {"template": TEMPLATE}}, 1),
        ("kubernetes:apps/v1:StatefulSet", {"spec": {"template": TEMPLATE}}, 1),
        ("kubernetes:apps/v1:DaemonSet", {"spec": {"template": TEMPLATE}}, 1),
        ("kubernetes:batch/v1:Job", {"spec": {"template": TEMPLATE}}, 1),
        ("kubernetes:batch/v1:CronJob", {"spec": {"jobTemplate": {"spec": {"template": TEMPLATE}}}}, 1),
        (
            "kubernetes:leaderworkerset.x-k8s.io/v1:LeaderWorkerSet",
            {"spec": {"leaderWorkerTemplate": {"leaderTemplate": TEMPLATE, "workerTemplate": TEMPLATE}}},
            2,
        ),
        (
            "kubernetes:leaderworkerset.x-k8s.io/v1:LeaderWorkerSet",
            {"spec": {"leaderWorkerTemplate": {"workerTemplate": TEMPLATE}}},
            1,
        ),
        ("kubernetes:ray.io/v1:RayCluster", {"spec": RAY}, 3),
        ("kubernetes:ray.io/v1:RayJob", {"spec": {"rayClusterSpec": RAY}}, 3),
        ("kubernetes:ray.io/v1:RayService", {"spec": {"rayClusterConfig": RAY}}, 3),
        (
            "kubernetes:serving.kserve.io/v1beta1:InferenceService",
            {"metadata": {"labels": {"app": "chat"}}, "spec": {"predictor": GPU}},
            1,
        ),
    ],
)
def test_every_kind_shows_its_pods_with_labels_and_gpus(token: str, props: Any, count: int) -> None:
    found = list(pods(resource(token, props)))
    assert [pod.gpus() for pod in found] == [2] * count
    assert all(pod.labels.at("app").text() == "chat" for pod in found)


def test_kserve_has_one_more_container_under_model() -> None:
    props = {"spec": {"predictor": {"model": {"args": ["x"], "resources": {"limits": {"nvidia.com/gpu": 1}}}}}}
    (pod,) = pods(resource("kubernetes:serving.kserve.io/v1beta1:InferenceService", props))
    assert [one.path for one in pod.containers()] == ["spec.predictor.model"]
    assert pod.gpus() == 1


def test_kserve_without_a_model_has_its_containers_only() -> None:
    (pod,) = pods(resource("kubernetes:serving.kserve.io/v1beta1:InferenceService", {"spec": {"predictor": GPU}}))
    assert [one.path for one in pod.containers()] == ["spec.predictor.containers[0]"]


@pytest.mark.parametrize(
    "token",
    [
        "kubernetes:apps/v1:DeploymentPatch",
        "kubernetes:apps/v1:DeploymentList",
        "aws:eks/nodeGroup:NodeGroup",
        "llm-serving:index:ModelDeployment",
        "kubernetes:example.com/v1:Deployment",
    ],
)
def test_other_types_have_no_pods(token: str) -> None:
    assert list(pods(resource(token, {"spec": {"template": TEMPLATE}}))) == []


@pytest.mark.parametrize(
    ("resources", "count"),
    [
        ({"limits": {"nvidia.com/gpu": 4}}, 4),
        ({"limits": {"nvidia.com/gpu": "4"}, "requests": {"nvidia.com/gpu": "4"}}, 4),
        ({"requests": {"nvidia.com/gpu": 3}}, 3),
        ({"limits": {"nvidia.com/mig-1g.10gb": 1, "nvidia.com/gpu": 1}}, 2),
        ({"limits": {"nvidia.com/gpu": "many"}}, 0),
        ({"limits": {"amd.com/gpu": 4, "cpu": 4}}, 0),
        ({}, 0),
    ],
)
def test_gpus_are_whole_gpus_and_slices(resources: Any, count: int) -> None:
    assert gpus(View({"resources": resources})) == count


@pytest.mark.parametrize(
    ("selector", "picks"),
    [
        ({"matchLabels": {"app": "chat"}}, True),
        ({"matchLabels": {"app": "chat", "tier": "api"}}, False),
        ({}, True),
        (None, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["chat", "code"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["chat"]}]}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "NotIn", "values": ["api"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]}, False),
        ({"matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}, True),
        ({"matchLabels": {"app": "other", "ray.io/cluster": "x"}}, False),
        ({"matchLabels": {"app": "chat", "ray.io/cluster": "x"}}, None),
        ({"matchLabels": {"app": UNKNOWN}}, None),
        (UNKNOWN, None),
    ],
)
def test_a_selector_picks_pods_as_kubernetes_does(selector: Any, picks: bool | None) -> None:
    owner = resource("kubernetes:apps/v1:Deployment", {"spec": {"template": TEMPLATE}})
    pod = Pod(owner=owner, spec=View(GPU), labels=View({"app": "chat"}, "labels"))
    if picks is None:
        with pytest.raises(UnknownValueRead):
            selects(View(selector, "selector"), pod)
    else:
        assert selects(View(selector, "selector"), pod) is picks


@pytest.mark.parametrize(
    ("text", "count", "up", "expected"),
    [
        ("25%", 1, True, 1),
        ("25%", 3, False, 0),
        ("25%", 4, False, 1),
        ("100%", 3, False, 3),
        ("2", 5, True, 2),
        ("x", 5, True, 0),
    ],
)
def test_percentages_of_pods_round_as_kubernetes_does(text: str, count: int, up: bool, expected: int) -> None:
    assert share(text, count, up=up) == expected


def test_a_shell_script_is_split_into_words() -> None:
    container = View(
        {"command": ["sh", "-c"], "args": ['exec vllm serve "/my model" --shutdown-timeout=60 --api-key x']}
    )
    given = words(container)
    assert given[2:5] == ["exec", "vllm", "serve"]
    assert "/my model" in given
    assert (option(given, "--shutdown-timeout"), option(given, "--api-key"), option(given, "--port")) == (
        "60",
        "x",
        None,
    )
    assert is_vllm(container, given)
    assert words(View({"args": ["it's open ended"]})) == ["it's", "open", "ended"]


def test_the_last_of_repeated_options_counts() -> None:
    assert option(["--port", "1", "--port=2"], "--port") == "2"
    assert option(["--served_model_name", "a", "--flag"], "--served-model-name") == "a"
    assert option(["--flag"], "--flag") == ""


@pytest.mark.parametrize(
    ("container", "yes"),
    [
        ({"image": "vllm/vllm-openai:v0.33.0"}, True),
        ({"image": "registry.example/vllm-mirror/tgi:1"}, False),
        ({"image": "mine:1", "command": ["python3", "-m", "vllm.entrypoints.openai.api_server"]}, True),
        ({"image": "mine:1", "command": ["/usr/bin/vllm", "serve"]}, True),
        ({"image": "mine:1", "args": ["--model", "vllm-tests/tiny"]}, False),
    ],
)
def test_vllm_is_recognised_by_command_or_image(container: Any, yes: bool) -> None:
    assert is_vllm(View(container), words(View(container))) is yes
