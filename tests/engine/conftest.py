"""The engine, the cluster behind it, and copies of the project."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.engine.required import is_required, missing

if TYPE_CHECKING:
    from tests.cluster.control_plane import ControlPlane
    from tests.engine.project import Project


@pytest.fixture(scope="session")
def engine() -> None:
    """Skips where the engine is incomplete."""
    if reason := missing():
        pytest.skip(reason)


@pytest.fixture(scope="session")
def cluster(engine: None) -> Iterator[ControlPlane]:
    """The simulated cluster that Pulumi.local.yaml means: its context, and twice its nodes."""
    from stacks.loader import load_file
    from stacks.resolve import resolve
    from tests.cluster.binary import Unavailable, is_built
    from tests.cluster.control_plane import ControlPlane
    from tests.cluster.nodes import group_nodes, system_node
    from tests.engine.project import ROOT

    inputs = load_file(ROOT / "Pulumi.local.yaml").inputs
    assert inputs is not None
    stack = resolve(inputs)
    (group,) = stack.node_groups.values()
    try:
        if not is_built() and not is_required():
            pytest.skip("the engine is here, but the cluster takes minutes to build first: run `make test-engine`")
        with ControlPlane(nodes=[system_node(), *group_nodes(group, 2)], context=stack.cluster.name) as found:
            yield found
    except Unavailable as reason:
        pytest.skip(f"the engine is here, but no cluster: {reason}")


@pytest.fixture(scope="session")
def new_project(engine: None, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Project]:
    """`new_project(stack, kubeconfig, text=None)`: a copy of the project with a new, empty stack."""
    from tests.engine import project

    def make(stack: str, kubeconfig: Path | str, text: str | None = None, **options: Any) -> Project:
        return project.new_project(tmp_path_factory.mktemp(stack), stack, kubeconfig, text, **options)

    return make
