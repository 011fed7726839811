"""One control plane for all tests of this folder, and a place of its own in it for each test."""

from collections.abc import Iterator

import pytest

from tests.cluster.client import wait
from tests.cluster.control_plane import ControlPlane
from tests.cluster.required import control_plane_binary


@pytest.fixture(scope="session")
def control_plane() -> Iterator[ControlPlane]:
    """The control plane of the session. Tests take `cluster`."""
    control_plane_binary()
    with ControlPlane() as found:
        yield found


@pytest.fixture
def cluster(control_plane: ControlPlane) -> Iterator[ControlPlane]:
    """The control plane; the nodes, namespaces, volumes and cluster-wide objects that the test leaves behind are removed."""
    client = control_plane.client
    namespaces = _namespaces(control_plane)
    kept = {kind: _names(control_plane, *kind) for kind in _CLEANED}
    yield control_plane
    for namespace in _namespaces(control_plane) - namespaces:
        _empty(control_plane, namespace)
        # Finishing a namespace takes seconds, in which the next test can run in another one.
        client.delete("v1", "Namespace", namespace)
    for version, kind in _CLEANED:
        for name in _names(control_plane, version, kind) - kept[version, kind]:
            client.delete(version, kind, name)
    for version, kind in _CLEANED:
        wait(
            f"{kind} objects of the test to be gone",
            lambda version=version, kind=kind: _names(control_plane, version, kind) <= kept[version, kind],
        )


_CLEANED = (
    ("v1", "PersistentVolume"),
    ("v1", "Node"),
    ("storage.k8s.io/v1", "StorageClass"),
    ("scheduling.k8s.io/v1", "PriorityClass"),
)


_CONTENT = (
    ("apps/v1", "Deployment"),
    ("apps/v1", "ReplicaSet"),
    ("batch/v1", "Job"),
    ("v1", "Pod"),
    ("v1", "PersistentVolumeClaim"),
)


def _empty(cluster: ControlPlane, namespace: str) -> None:
    """Removes what a namespace would wait for: its controller gives pods their whole grace period."""

    def emptied() -> bool:
        for version, kind in _CONTENT:
            cluster.client.delete_all(version, kind, namespace)
        return not any(cluster.client.list(version, kind, namespace) for version, kind in _CONTENT)

    wait(f"namespace {namespace} to be empty", emptied)


def _namespaces(cluster: ControlPlane) -> set[str]:
    """Those that aren't on their way out."""
    found = cluster.client.list("v1", "Namespace")
    return {one["metadata"]["name"] for one in found if one["status"]["phase"] == "Active"}


def _names(cluster: ControlPlane, version: str, kind: str) -> set[str]:
    return {one["metadata"]["name"] for one in cluster.client.list(version, kind)}
