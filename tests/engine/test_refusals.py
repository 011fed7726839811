"""What a person gets who made a mistake: our message, and never a traceback."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.cluster.control_plane import ControlPlane
    from tests.engine.project import Project

pytestmark = pytest.mark.engine


@pytest.fixture
def project(cluster: ControlPlane, new_project: Callable[..., Project]) -> Project:
    return new_project("local", cluster.kubeconfig)


def test_mistakes_in_the_stack_file_stop_a_preview_with_what_check_says(project: Project) -> None:
    from pulumi.automation import CommandError

    def break_it(stack: dict) -> None:
        stack["workloads"]["chat"]["engine"]["maxModelLn"] = stack["workloads"]["chat"]["engine"].pop("maxModelLen")
        stack["workloads"]["chat"]["model"] = "qwen3-6b"

    project.edit(break_it)
    problems = [one.full_text() for one in project.loaded().problems]
    assert len(problems) == 2
    with pytest.raises(CommandError) as stopped:
        project.preview()
    for one in problems:
        assert one in str(stopped.value)
    assert "Traceback" not in str(stopped.value)
    assert project.resources() == []


def test_a_broken_rule_stops_up_before_anything_is_created(project: Project, cluster: ControlPlane) -> None:
    from pulumi.automation import CommandError

    from preflight.check import check
    from stacks.resolve import resolve
    from tests.engine.contents import contents

    before = contents(cluster.client).keys()
    project.edit(lambda stack: stack["workloads"]["chat"].update(replicas=5))
    loaded = project.loaded()
    assert loaded.inputs is not None
    errors = [one for one in loaded.located(check(loaded.inputs, resolve(loaded.inputs))) if one.severity == "error"]
    assert errors
    with pytest.raises(CommandError) as stopped:
        project.up()
    for one in errors:
        assert one.full_text() in str(stopped.value)
    assert "Traceback" not in str(stopped.value)
    assert contents(cluster.client).keys() == before


UNREACHABLE = """\
apiVersion: v1
kind: Config
clusters: [{{name: gone, cluster: {{server: "https://127.0.0.1:{port}"}}}}]
users: [{{name: gone, user: {{token: none}}}}]
contexts: [{{name: {context}, context: {{cluster: gone, user: gone}}}}]
"""


def test_without_the_cluster_a_preview_shows_the_stack_and_up_says_what_is_wrong(
    cluster: ControlPlane, new_project: Callable[..., Project], tmp_path: Path
) -> None:
    from pulumi.automation import CommandError

    from tests.engine.parity import in_process

    kubeconfig = tmp_path / "kubeconfig"
    with socket.socket() as nobody:
        # Bound and not listening: connections are refused, and nobody else can have the port.
        nobody.bind(("127.0.0.1", 0))
        kubeconfig.write_text(UNREACHABLE.format(port=nobody.getsockname()[1], context=cluster.context), "utf-8")
        project = new_project("local", kubeconfig)
        preview = project.preview()
        assert {one.urn for one in in_process(project).resources} <= preview.steps.keys()
        with pytest.raises(CommandError, match=r"configured Kubernetes cluster is unreachable.*connection refused"):
            project.up()
        assert "Traceback" not in preview.text


def test_up_names_a_context_that_the_kubeconfig_lacks(project: Project) -> None:
    from pulumi.automation import CommandError

    project.edit(lambda stack: stack["cluster"].update(context="kind-other"))
    assert "Traceback" not in project.preview().text
    with pytest.raises(CommandError, match='context "kind-other" does not exist'):
        project.up()


def test_kubeconfig_can_list_several_files(
    cluster: ControlPlane, new_project: Callable[..., Project], tmp_path: Path
) -> None:
    other = tmp_path / "kubeconfig"
    other.write_text(UNREACHABLE.format(port=1, context="kind-other"), "utf-8")
    project = new_project("local", f"{other}{os.pathsep}{cluster.kubeconfig}")
    project.up(target=["urn:pulumi:local::llm-serving::kubernetes:core/v1:Namespace::ml-serving"])
    assert cluster.client.get("v1", "Namespace", "ml-serving")
    (provider,) = [one for one in project.resources() if one["type"] == "pulumi:providers:kubernetes"]
    # Another machine has it elsewhere: the path in the state would be a change for everybody else.
    assert str(tmp_path) not in str(provider["inputs"])
    project.destroy()


UNKNOWN_KUBECONFIG = """\
import asyncio

import pulumi

from stacks import deploy


def unknown(*_: object) -> pulumi.Output[str]:
    \"\"\"What a lookup of a cluster gives that isn't there yet.\"\"\"
    loop = asyncio.get_running_loop()
    resources, value, known = loop.create_future(), loop.create_future(), loop.create_future()
    resources.set_result(set())
    value.set_result(None)
    known.set_result(False)
    return pulumi.Output(resources, value, known)


assert callable(deploy._kubeconfig)
deploy._kubeconfig = unknown
"""


def test_a_preview_with_a_kubeconfig_that_is_not_known_yet_shows_the_stack(project: Project) -> None:
    from preview.values import UNKNOWN_SENTINEL
    from tests.engine.parity import in_process

    program = project.folder / "__main__.py"
    program.write_text(f"{UNKNOWN_KUBECONFIG}\n{program.read_text('utf-8')}", "utf-8")
    preview = project.preview()
    (provider,) = [step for urn, (step,) in preview.steps.items() if "pulumi:providers:kubernetes::" in urn]
    assert provider.new
    assert provider.new.inputs
    assert provider.new.inputs["kubeconfig"] == UNKNOWN_SENTINEL
    assert {one.urn for one in in_process(project).resources} <= preview.steps.keys()
    assert "Traceback" not in preview.text
    (deployment,) = [step for urn, (step,) in preview.steps.items() if ":Deployment::" in urn]
    assert deployment.new
    assert deployment.new.inputs
    assert deployment.new.inputs["spec"]["replicas"] == 1
