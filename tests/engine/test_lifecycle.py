"""The `local` stack from nothing to nothing, on the real engine and a real API server.

Each step of `Life` runs once, after the one before it; a test looks at what a step left behind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.cluster.control_plane import ControlPlane
    from tests.engine.project import Project, Run

pytestmark = pytest.mark.engine

NAMESPACE, CHAT = "ml-serving", "Deployment ml-serving/chat"


@dataclass(frozen=True, kw_only=True)
class After:
    """A step that is over."""

    run: Run
    objects: dict[str, dict[str, Any]]
    """Everything in the cluster then."""
    resources: list[dict[str, Any]]
    """Everything in the state then."""


class Life:
    """The steps."""

    def __init__(self, project: Project, cluster: ControlPlane) -> None:
        self.project, self.cluster = project, cluster

    @cached_property
    def before(self) -> dict[str, dict[str, Any]]:
        return self._objects()

    @cached_property
    def previewed(self) -> After:
        assert self.before
        return self._after(self.project.preview())

    @cached_property
    def created(self) -> After:
        assert self.previewed
        return self._after(self.project.up())

    @cached_property
    def outputs(self) -> dict[str, Any]:
        assert self.created
        return {name: one.value for name, one in self.project.stack.outputs().items()}

    @cached_property
    def repeated(self) -> After:
        assert self.outputs
        return self._after(self.project.up(expect_no_changes=True))

    @cached_property
    def refreshed(self) -> After:
        assert self.repeated
        return self._after(self.project.refresh(expect_no_changes=True))

    @cached_property
    def scaled(self) -> After:
        assert self.refreshed

        def two(stack: dict[str, Any]) -> None:
            stack["nodeGroups"]["lab"]["nodes"] = 2
            stack["workloads"]["chat"]["replicas"] = 2

        self.project.edit(two)
        return self._after(self.project.up())

    @cached_property
    def tuned(self) -> After:
        assert self.scaled
        self.project.edit(lambda stack: stack["workloads"]["chat"]["engine"].update(maxModelLen=4096))
        return self._after(self.project.up())

    @cached_property
    def destroyed(self) -> After:
        assert self.tuned
        return self._after(self.project.destroy())

    def _after(self, run: Run) -> After:
        return After(run=run, objects=self._objects(), resources=self.project.resources())

    def _objects(self) -> dict[str, dict[str, Any]]:
        from tests.engine.contents import contents

        return contents(self.cluster.client)


@pytest.fixture(scope="module")
def life(cluster: ControlPlane, new_project: Callable[..., Project]) -> Life:
    return Life(new_project("local", cluster.kubeconfig), cluster)


def test_a_preview_creates_nothing(life: Life) -> None:
    assert life.previewed.objects.keys() == life.before.keys()
    assert life.previewed.resources == []
    assert set(map(tuple, life.previewed.run.changed().values())) == {("create",)}


def test_up_does_what_the_preview_said(life: Life) -> None:
    assert life.created.run.changed() == life.previewed.run.changed()
    assert life.created.run.warnings() == []


def test_up_creates_running_pods_and_nothing_that_the_stack_does_not_name(life: Life) -> None:
    new = {name: one for name, one in life.created.objects.items() if name not in life.before}
    own = {urn.split("::")[-2].split(":")[-1] for urn in life.created.run.steps if "kubernetes:" in urn}
    made = Counter(name.split()[0] for name in new)
    # What the namespace, the Service and the Deployment bring, by Kubernetes' own controllers.
    theirs = {"ConfigMap", "ReplicaSet", "Pod", "Endpoints", "EndpointSlice", "IPAddress"}
    assert set(made) == {kind for kind in own if kind != "kubernetes"} | theirs
    assert {kind: count for kind, count in made.items() if count > 1} == {"ServiceAccount": 2}
    (pod,) = [one for name, one in new.items() if name.startswith("Pod ")]
    assert pod["status"]["phase"] == "Running"
    assert pod["spec"]["nodeName"].startswith("lab-")


def test_local_has_no_chart_no_cloud_and_nothing_protected(life: Life) -> None:
    packages = {one["type"].split(":")[0] for one in life.created.resources}
    assert packages == {"pulumi", "kubernetes", "llm-serving"}
    providers = {one["type"] for one in life.created.resources if one["type"].startswith("pulumi:providers:")}
    assert providers == {"pulumi:providers:kubernetes"}
    assert not [one["urn"] for one in life.created.resources if "helm" in one["type"] or one.get("protect")]


def test_only_the_explicit_provider_is_used(life: Life) -> None:
    (provider,) = [one for one in life.created.resources if one["type"] == "pulumi:providers:kubernetes"]
    assert provider["urn"].endswith("::kubernetes")
    used = {one["provider"] for one in life.created.resources if one["type"].startswith("kubernetes:")}
    assert used == {f"{provider['urn']}::{provider['id']}"}


def test_the_url_of_a_workload_is_that_of_its_service(life: Life) -> None:
    service = life.created.objects[f"Service {NAMESPACE}/chat"]
    port = next(one["port"] for one in service["spec"]["ports"] if one["name"] != "metrics")
    assert life.outputs["urls"] == {"chat": f"http://chat.{NAMESPACE}.svc:{port}/v1"}


def test_the_other_outputs_are_the_stacks_totals(life: Life) -> None:
    assert life.outputs.keys() == {"urls", "nodeGroups", "claims", "totals"}
    # Nodes that are there already are not this stack's.
    assert (life.outputs["nodeGroups"], life.outputs["claims"]) == ({}, {})
    assert life.outputs["totals"]["gpusRequested"] == 1
    assert life.outputs["totals"]["nodesMax"] == 0


def test_a_second_up_has_nothing_to_do(life: Life) -> None:
    assert life.repeated.run.changed() == {}
    assert _generations(life.repeated) == _generations(life.created)


def test_a_refresh_finds_no_drift(life: Life) -> None:
    assert [_inputs(one) for one in life.refreshed.resources] == [_inputs(one) for one in life.repeated.resources]


def test_more_replicas_are_an_update_of_the_deployment(life: Life) -> None:
    assert _changed_children(life.scaled) == {"chat": ["update"]}
    assert _uid(life.scaled) == _uid(life.created)
    deployment = life.scaled.objects[CHAT]
    assert (deployment["spec"]["replicas"], deployment["status"]["availableReplicas"]) == (2, 2)
    nodes = [one["spec"]["nodeName"] for name, one in life.scaled.objects.items() if name.startswith("Pod ")]
    assert len(set(nodes)) == 2


def test_another_engine_option_is_an_update_that_replaces_the_pods_only(life: Life) -> None:
    assert _changed_children(life.tuned) == {"chat": ["update"]}
    assert _uid(life.tuned) == _uid(life.created)
    (container,) = life.tuned.objects[CHAT]["spec"]["template"]["spec"]["containers"]
    assert "--max-model-len=4096" in container["args"]
    assert _pods(life.tuned).isdisjoint(_pods(life.scaled))
    assert len(_pods(life.tuned)) == 2


def test_destroy_leaves_nothing(life: Life) -> None:
    assert life.destroyed.resources == []
    assert life.destroyed.objects.keys() == life.before.keys()


def _inputs(resource: dict[str, Any]) -> tuple[str, Any]:
    return resource["urn"], resource.get("inputs")


def _generations(after: After) -> dict[str, Any]:
    return {name: one["metadata"].get("generation") for name, one in after.objects.items()}


def _uid(after: After) -> str:
    return after.objects[CHAT]["metadata"]["uid"]


def _pods(after: After) -> set[str]:
    return {name for name in after.objects if name.startswith("Pod ")}


def _changed_children(after: After) -> dict[str, list[str]]:
    """Operations by name, without the stack itself, whose outputs may change."""
    return {urn.split("::")[-1]: ops for urn, ops in after.run.changed().items() if "pulumi:pulumi:Stack" not in urn}
