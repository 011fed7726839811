"""What ModelDeployment registers, as whole values."""

from typing import Any

import pulumi
import pytest

from components.model_deployment import ModelDeployment, ModelDeploymentArgs
from components.pods import pod_template
from components.resolved import Workload
from components.serving_objects import metrics_port
from preview.registered import Registered
from preview.run import Run, run
from tests.preflight.case import stack

COMPONENT = "urn:pulumi:test::llm-serving::llm-serving:index:ModelDeployment::chat"
LABELS = {
    "app.kubernetes.io/name": "vllm",
    "app.kubernetes.io/instance": "chat",
    "app.kubernetes.io/component": "model-server",
    "app.kubernetes.io/part-of": "llm-serving",
    "app.kubernetes.io/managed-by": "pulumi",
}
SELECTOR = {"app.kubernetes.io/name": "vllm", "app.kubernetes.io/instance": "chat"}
METADATA = {"name": "chat", "namespace": "ml-serving", "labels": LABELS}
PRIVATE_V4 = ["10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"]
DNS = {
    "to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}],
    "ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}],
}
INTERNET = {
    "to": [
        {"ipBlock": {"cidr": "0.0.0.0/0", "except": PRIVATE_V4}},
        {"ipBlock": {"cidr": "::/0", "except": ["fc00::/7", "fe80::/10"]}},
    ],
    "ports": [{"protocol": "TCP", "port": 443}],
}


def workload(**keys: Any) -> Workload:
    return stack({"workloads": {"chat": keys}}).workloads["chat"]


def deployed(given: Workload, **args: Any) -> Run:
    def program() -> None:
        ModelDeployment("chat", ModelDeploymentArgs(workload=given, **args))

    return run(program, project="llm-serving", stack="test", config={})


def one(result: Run, kind: str) -> Registered:
    found = [resource for resource in result.resources if resource.type.endswith(f":{kind}")]
    assert len(found) == 1, [resource.type for resource in result.resources]
    return found[0]


def objects(result: Run) -> dict[str, dict[str, Any]]:
    return {item.type.split(":")[-1]: item.inputs for item in result.resources if item.type.startswith("kubernetes:")}


def test_the_whole_component() -> None:
    given = workload()
    assert objects(deployed(given)) == {
        "ServiceAccount": {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": METADATA,
            "automountServiceAccountToken": False,
        },
        "Service": {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {**METADATA, "annotations": {"pulumi.com/skipAwait": "true"}},
            "spec": {
                "type": "ClusterIP",
                "selector": SELECTOR,
                "ports": [
                    {"name": "http", "port": 8000, "targetPort": "http", "protocol": "TCP"},
                    {"name": "metrics", "port": 9090, "targetPort": "http", "protocol": "TCP"},
                ],
            },
        },
        "NetworkPolicy": {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": METADATA,
            "spec": {
                "podSelector": {"matchLabels": SELECTOR},
                "policyTypes": ["Ingress", "Egress"],
                "ingress": [{"from": [{"podSelector": {}}], "ports": [{"protocol": "TCP", "port": 8000}]}],
                "egress": [DNS],
            },
        },
        "PodDisruptionBudget": {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": METADATA,
            "spec": {
                "maxUnavailable": 1,
                "unhealthyPodEvictionPolicy": "AlwaysAllow",
                "selector": {"matchLabels": SELECTOR},
            },
        },
        "Deployment": {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": METADATA,
            "spec": {
                "replicas": 2,
                "selector": {"matchLabels": SELECTOR},
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}},
                # node 300 + pull 600 + grace 75 + start 650 + margin 120
                "progressDeadlineSeconds": 1745,
                "revisionHistoryLimit": 5,
                "template": pod_template(given),
            },
        },
    }


def test_everything_is_a_child_of_the_component() -> None:
    children = [item for item in deployed(workload()).resources if item.urn != COMPONENT]
    assert {item.parent for item in children} == {COMPONENT}
    assert {item.name for item in children} == {"chat"}


def test_pulumi_waits_as_long_as_the_rollout_may_take() -> None:
    # two replicas, one at a time
    assert one(deployed(workload()), "Deployment").custom_timeouts == {"create": "3490s", "update": "3490s"}


def test_outputs_are_registered() -> None:
    component = one(deployed(workload(servicePort=80)), "ModelDeployment")
    assert component.outputs == {"url": "http://chat.ml-serving.svc:80/v1", "service_name": "chat"}


def test_surge_starts_the_new_copy_first() -> None:
    spec = objects(deployed(workload(rollout="surge")))["Deployment"]["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


def test_pods_that_download_reach_the_internet_and_nothing_private() -> None:
    given = stack({"models": {"llama": {"volume": None}}}).workloads["chat"]
    assert objects(deployed(given))["NetworkPolicy"]["spec"]["egress"] == [DNS, INTERNET]


def test_callers_are_those_that_the_stack_names() -> None:
    given = workload(
        allowFrom=[
            {"namespace": "gateway"},
            {"namespaceLabels": {"team": "search"}, "podLabels": {"app": "web"}},
            {"podLabels": {"app": "web"}},
            {"cidr": "203.0.113.0/24"},
        ]
    )
    assert objects(deployed(given))["NetworkPolicy"]["spec"]["ingress"][0]["from"] == [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "gateway"}}},
        {
            "namespaceSelector": {"matchLabels": {"team": "search"}},
            "podSelector": {"matchLabels": {"app": "web"}},
        },
        {"podSelector": {"matchLabels": {"app": "web"}}},
        {"ipBlock": {"cidr": "203.0.113.0/24"}},
    ]


def test_an_empty_list_of_callers_lets_nobody_in() -> None:
    closed = objects(deployed(workload(allowFrom=[])))["NetworkPolicy"]["spec"]
    assert closed["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in closed


def test_a_pod_monitor_where_asked_for() -> None:
    monitor = objects(deployed(workload(metrics="podMonitor")))["PodMonitor"]
    assert monitor == {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PodMonitor",
        "metadata": METADATA,
        "spec": {
            "selector": {"matchLabels": SELECTOR},
            "podMetricsEndpoints": [{"port": "http", "path": "/metrics", "interval": "15s"}],
        },
    }


@pytest.mark.parametrize(("port", "metrics"), [(8000, 9090), (9090, 9091)])
def test_the_metrics_port_is_never_the_api_port(port: int, metrics: int) -> None:
    assert metrics_port(workload(servicePort=port)) == metrics


def test_pods_start_after_what_they_need() -> None:
    given = workload()

    def program() -> None:
        import pulumi_kubernetes as k8s

        secret = k8s.core.v1.Secret("token", metadata={"name": "token"})
        ModelDeployment("chat", ModelDeploymentArgs(workload=given, after=[secret]))

    deployment = one(run(program, project="llm-serving", stack="test", config={}), "Deployment")
    assert "urn:pulumi:test::llm-serving::kubernetes:core/v1:Secret::token" in deployment.dependencies


def test_children_use_the_provider_of_the_component() -> None:
    given = workload()

    def program() -> None:
        import pulumi_kubernetes as k8s

        provider = k8s.Provider("cluster", context="test")
        ModelDeployment("chat", ModelDeploymentArgs(workload=given), pulumi.ResourceOptions(providers=[provider]))

    result = run(program, project="llm-serving", stack="test", config={})
    used = {item.provider for item in result.resources if item.parent == COMPONENT}
    assert used == {"urn:pulumi:test::llm-serving::pulumi:providers:kubernetes::cluster"}
