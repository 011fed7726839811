"""An API server that dies in the middle of an update: applying again gets everything there."""

import pytest
import requests

from tests.cluster.control_plane import ControlPlane
from tests.cluster.nodes import stack_nodes
from tests.cluster.objects import ROOT, file_program
from tests.cluster.required import control_plane_binary
from tests.cluster.state import wait_for

pytestmark = pytest.mark.cluster


def test_a_second_apply_converges_after_the_api_server_was_killed() -> None:
    control_plane_binary()
    program = file_program(ROOT / "Pulumi.dev.yaml")
    half = len(program.objects) // 2
    with ControlPlane(nodes=stack_nodes(program.stack)) as cluster:
        before = cluster.processes
        cluster.apply(program.objects[:half])
        cluster.kill("kube-apiserver")
        with pytest.raises(requests.ConnectionError):
            cluster.apply(program.objects[half:])
        cluster.start_api_server()
        cluster.apply(program.objects)
        wait_for(cluster.client, program.objects)
        # Only the API server was replaced: the controllers found their way back by themselves.
        after = cluster.processes
        assert {name for name in after if after[name] != before[name]} == {"kube-apiserver"}
