"""A small stack for tests of one behaviour: vLLM with a model of 1 GB, one GPU a node, on any cluster."""

from itertools import count
from typing import Any

from tests.cluster.objects import Program, a_program

WORKLOAD = "chat"
_numbers = count()


def small(*, nodes: int, replicas: int, **workload: Any) -> Program:
    """The program of that stack, in a namespace and on nodes of its own; `workload` has more keys of the workload."""
    name = f"small-{next(_numbers)}"
    stack = {
        "namespace": {"name": name, "create": True},
        "cluster": {"provider": "kubeconfig", "context": "simulated"},
        "nodeGroups": {
            name: {
                "provisioner": "existing",
                "gpu": "L4",
                "gpusPerNode": 1,
                "nodes": nodes,
                "nodeSelector": {"llm-serving/pool": name},
                "cpu": "8",
                "memory": "32Gi",
                "ephemeralStorage": "200Gi",
            }
        },
        "models": {"qwen": {"id": "Qwen/Qwen3-0.6B", "revision": "c1899de289a04d12100db370d81485cdf75e47ca"}},
        "workloads": {
            WORKLOAD: {
                "kind": "Deployment",
                "model": "qwen",
                "nodeGroup": name,
                "replicas": replicas,
                "engine": {"name": "vllm", "version": "0.33.0", "maxModelLen": 8192},
                **workload,
            }
        },
    }
    return a_program(stack)
