"""`llm-serving status` with the real kubectl: what an API server, its controllers and its scheduler say of pods that don't come up."""

import shutil

import pytest

from status.report import lines, statuses
from tests.cluster.client import wait
from tests.cluster.control_plane import ControlPlane
from tests.cluster.nodes import stack_nodes
from tests.cluster.objects import Program, of_kind
from tests.cluster.small import small
from tests.cluster.state import wait_for

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl isn't on PATH"),
]


@pytest.fixture
def ask(cluster: ControlPlane, monkeypatch: pytest.MonkeyPatch):
    """The report's lines for a program."""
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
    return lambda program: list(lines(statuses(program.stack)))


def created(cluster: ControlPlane, program: Program) -> Program:
    cluster.add_nodes(stack_nodes(program.stack))
    cluster.apply(program.objects)
    return program


def test_a_workload_that_is_up_is_one_line(cluster: ControlPlane, ask) -> None:
    program = created(cluster, small(nodes=2, replicas=2))
    wait_for(cluster.client, program.objects)
    assert ask(program) == ["chat (Deployment): 2 of 2 pods ready"]


def test_a_pod_that_waits_for_a_gpu_is_named_with_what_the_scheduler_says(cluster: ControlPlane, ask) -> None:
    program = created(cluster, small(nodes=2, replicas=2))
    wait_for(cluster.client, program.objects)
    (deployment,) = of_kind(program.objects, "Deployment")
    changed = {**deployment, "spec": {**deployment["spec"], "replicas": 3}}
    cluster.apply([changed])
    wait("the third pod to be refused a node", lambda: len(ask(program)) == 2)
    first, second = ask(program)
    assert first == "chat (Deployment): 2 of 2 pods ready"
    assert second.startswith("  Pod chat-")
    assert "has no node: 0/" in second
    assert "Insufficient nvidia.com/gpu" in second


def test_pods_that_a_quota_refuses_are_told_once(cluster: ControlPlane, ask) -> None:
    program = small(nodes=1, replicas=1)
    namespace = program.stack.namespace
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "gpus", "namespace": namespace},
        "spec": {"hard": {"requests.nvidia.com/gpu": "0"}},
    }
    cluster.add_nodes(stack_nodes(program.stack))
    cluster.apply([*of_kind(program.objects, "Namespace"), quota])
    path = f"/api/v1/namespaces/{namespace}/resourcequotas/gpus"
    wait("the quota to hold", lambda: "used" in cluster.client.request("GET", path).get("status", {}))
    cluster.apply(program.objects)
    wait("the refusal", lambda: any("exceeded quota" in line for line in ask(program)))
    told = ask(program)
    assert told[0] == "chat (Deployment): 0 of 1 pods ready"
    assert len([line for line in told if "exceeded quota: gpus" in line]) == 1


def test_a_stack_that_is_not_deployed_says_so(cluster: ControlPlane, ask) -> None:
    assert ask(small(nodes=1, replicas=1))[1:] == [
        "  the namespace has nothing of chat: it isn't deployed, or what comes before it failed"
    ]
