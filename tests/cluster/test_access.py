"""What our ServiceAccounts may do: nothing beyond what Kubernetes allows every account."""

from pathlib import Path

import pytest

from tests.cluster.client import Client, Object
from tests.cluster.control_plane import ControlPlane
from tests.cluster.objects import file_program, of_kind
from tests.cluster.state import wait_for_absence
from tests.cluster.test_stacks import every_stack

pytestmark = pytest.mark.cluster

NOBODY = "nobody"
"""An account that nothing was given to."""
FORBIDDEN = [
    ("", "secrets", "get"),
    ("", "secrets", "list"),
    ("", "configmaps", "list"),
    ("", "pods", "list"),
    ("", "pods", "create"),
    ("", "pods/exec", "create"),
    ("", "nodes", "list"),
    ("", "serviceaccounts/token", "create"),
    ("apps", "deployments", "patch"),
    ("rbac.authorization.k8s.io", "rolebindings", "create"),
]


def _rules(client: Client, namespace: str) -> list[str]:
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectRulesReview",
        "spec": {"namespace": namespace},
    }
    status = client.request("POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", body)["status"]
    assert status["incomplete"] is False
    return sorted(str(sorted(rule.items())) for rule in [*status["resourceRules"], *status["nonResourceRules"]])


def _may(client: Client, user: str, namespace: str, group: str, resource: str, verb: str) -> bool:
    main, _, sub = resource.partition("/")
    attributes = {"namespace": namespace, "group": group, "resource": main, "subresource": sub, "verb": verb}
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SubjectAccessReview",
        "spec": {
            "user": user,
            "groups": ["system:authenticated", "system:serviceaccounts", f"system:serviceaccounts:{namespace}"],
            "resourceAttributes": attributes,
        },
    }
    return client.request("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body)["status"]["allowed"]


def _account(namespace: str, name: str) -> Object:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}}


@every_stack
def test_our_accounts_may_do_nothing_more_than_any_account(path: Path, cluster: ControlPlane) -> None:
    program = file_program(path)
    namespace = program.stack.namespace
    wait_for_absence(cluster.client, namespace)
    access = ("Namespace", "ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding")
    cluster.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}])
    cluster.apply(of_kind(program.objects, *access))
    cluster.apply([_account(namespace, NOBODY)])
    nothing = _rules(cluster.service_account(namespace, NOBODY), namespace)
    ours = {one["metadata"]["name"] for one in of_kind(program.objects, "ServiceAccount")}
    assert ours
    for name in sorted({*ours, "default"}):
        cluster.apply([_account(namespace, name)])
        assert _rules(cluster.service_account(namespace, name), namespace) == nothing
        user = f"system:serviceaccount:{namespace}:{name}"
        allowed = [one for one in FORBIDDEN if _may(cluster.client, user, namespace, *one)]
        assert allowed == []


@every_stack
def test_our_pods_get_no_token_of_the_api_server(path: Path) -> None:
    for one in of_kind(file_program(path).objects, "Deployment", "Job"):
        assert one["spec"]["template"]["spec"]["automountServiceAccountToken"] is False


def test_a_right_that_is_given_is_seen(cluster: ControlPlane) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "granted"}}
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "view", "namespace": "granted"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "ServiceAccount", "name": "given", "namespace": "granted"}],
    }
    cluster.apply([namespace, _account("granted", NOBODY), _account("granted", "given"), binding])
    nothing = _rules(cluster.service_account("granted", NOBODY), "granted")
    assert _rules(cluster.service_account("granted", "given"), "granted") != nothing
    assert _may(cluster.client, "system:serviceaccount:granted:given", "granted", "", "pods", "list")
