"""The in-process preview shows what the engine's own preview shows."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from preview.run import Run as InProcess
    from tests.cluster.control_plane import ControlPlane
    from tests.engine.project import Project, Run

pytestmark = pytest.mark.engine

ADDED = {"__internal", "version"}

Both = tuple["InProcess", "Run"]


@pytest.fixture(scope="module", params=["local", "lab"])
def both(request: pytest.FixtureRequest, cluster: ControlPlane, new_project: Callable[..., Project]) -> Both:
    """The previews of one stack: in process, and the engine's."""
    from pulumi.automation import ConfigValue

    from tests.engine.lab import TOKEN, lab_stack
    from tests.engine.parity import in_process

    if request.param == "local":
        project = new_project("local", cluster.kubeconfig)
    else:
        project = new_project("lab", cluster.kubeconfig, lab_stack())
        project.stack.set_config("llm-serving:hfToken", ConfigValue(TOKEN, secret=True))
    return in_process(project), project.preview()


def test_both_have_the_same_resources(both: Both) -> None:
    mine, engines = both
    assert {one.urn for one in mine.resources} == {urn for urn in engines.steps if "::pulumi:pulumi:Stack::" not in urn}


def test_types_parents_providers_and_inputs_are_the_same(both: Both) -> None:
    from preview.values import walk
    from tests.engine.parity import previewed, registered

    mine, engines = both
    assert mine.resources
    for one in mine.resources:
        (step,) = engines.steps[one.urn]
        expected, found = registered(one), previewed(step)
        if one.is_provider:
            # Which plugin it is, as the engine notes it.
            found["inputs"] = {key: value for key, value in found["inputs"].items() if key not in ADDED}
        # Path by path, so that a difference is readable.
        assert dict(walk(expected)) == dict(walk(found)), one.urn
