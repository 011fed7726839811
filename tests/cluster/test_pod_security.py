"""Pod Security "restricted" is enforced where our pods run; every other namespace has a row with its reason."""

from pathlib import Path
from typing import Any

import pytest

from policies.exceptions import EXCEPTIONS
from preview.run import run
from stacks.loader import load_file
from tests.cluster.client import ApiError
from tests.cluster.control_plane import ControlPlane
from tests.cluster.objects import ROOT, file_program, of_kind
from tests.cluster.small import small
from tests.cluster.test_stacks import every_stack

pytestmark = pytest.mark.cluster

ENFORCE = "pod-security.kubernetes.io/enforce"
EXEMPT = {one.namespace: one.reason for one in EXCEPTIONS if one.policy == "pod-security-restricted"}
"""The table: namespace -> reason."""


def pod(namespace: str, **changes: Any) -> dict[str, Any]:
    """A pod that "restricted" admits, unless `changes` to its container spoil it."""
    container = {
        "name": "main",
        "image": "example.com/image:1",
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        **changes,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "probe", "namespace": namespace},
        "spec": {"containers": [container]},
    }


def device_plugin_pod(namespace: str) -> dict[str, Any]:
    """What NVIDIA's device plugin needs at least: a folder of the host."""
    found = pod(namespace)
    host = {"name": "device-plugin", "hostPath": {"path": "/var/lib/kubelet/device-plugins"}}
    return {**found, "spec": {**found["spec"], "volumes": [host]}}


@every_stack
def test_every_namespace_of_a_stack_is_restricted_or_has_a_row_with_its_reason(path: Path) -> None:
    values, secrets = load_file(path).engine_config()
    result = run(ROOT / "__main__.py", project="llm-serving", stack="x", config=values, config_secret_keys=secrets)
    objects = file_program(path).objects
    restricted = {
        one["metadata"]["name"]
        for one in of_kind(objects, "Namespace")
        if one["metadata"].get("labels", {}).get(ENFORCE) == "restricted"
    }
    adopted = set() if file_program(path).stack.create_namespace else {file_program(path).stack.namespace}
    used = {one["metadata"]["namespace"] for one in objects if "namespace" in one["metadata"]}
    charts = {one.inputs["namespace"] for one in result.resources if one.type.endswith(":Release")}
    assert used
    assert used | charts <= restricted | adopted | EXEMPT.keys()
    # Our own pods need no exception.
    assert used & EXEMPT.keys() == set()
    assert restricted & EXEMPT.keys() == set()


def test_every_row_has_a_reason() -> None:
    assert EXEMPT
    assert all(reason.strip() for reason in EXEMPT.values())


def _namespace(cluster: ControlPlane) -> str:
    """A namespace as a stack makes it."""
    program = small(nodes=1, replicas=1)
    cluster.apply(of_kind(program.objects, "Namespace"))
    return program.stack.namespace


def test_restricted_is_enforced_and_our_pods_pass(cluster: ControlPlane) -> None:
    program = small(nodes=1, replicas=1)
    namespace = program.stack.namespace
    cluster.apply(of_kind(program.objects, "Namespace", "ServiceAccount"))
    cluster.client.apply(pod(namespace), dry_run=True)
    (deployment,) = of_kind(program.objects, "Deployment")
    template = deployment["spec"]["template"]
    metadata = {**template["metadata"], "name": "ours", "namespace": namespace}
    cluster.client.apply({"apiVersion": "v1", "kind": "Pod", **template, "metadata": metadata}, dry_run=True)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"securityContext": {"privileged": True}}, "privileged"),
        ({"securityContext": {"runAsUser": 0}}, "runAsNonRoot"),
        ({"securityContext": {}}, "seccompProfile"),
        ({"ports": [{"containerPort": 80, "hostPort": 80}]}, "hostPort"),
    ],
)
def test_restricted_refuses_what_it_should(changes: dict[str, Any], says: str, cluster: ControlPlane) -> None:
    namespace = _namespace(cluster)
    with pytest.raises(ApiError, match=says) as refused:
        cluster.client.apply(pod(namespace, **changes), dry_run=True)
    assert refused.value.code == 403
    assert 'violates PodSecurity "restricted' in str(refused.value)


def test_the_device_plugin_needs_its_row(cluster: ControlPlane) -> None:
    namespace = _namespace(cluster)
    with pytest.raises(ApiError, match="hostPath"):
        cluster.client.apply(device_plugin_pod(namespace), dry_run=True)
    cluster.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "nvidia-device-plugin"}}])
    # The ServiceAccount is made by a controller a moment later.
    account = {"name": "default", "namespace": "nvidia-device-plugin"}
    cluster.apply([{"apiVersion": "v1", "kind": "ServiceAccount", "metadata": account}])
    cluster.client.apply(device_plugin_pod("nvidia-device-plugin"), dry_run=True)
