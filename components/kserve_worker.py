"""InferenceServices whose copy spans two nodes: what KServe's `workerSpec` is given. Pure.

KServe makes a second Deployment, `<name>-predictor-worker`, of the worker's pod, and for every generation of the InferenceService a
headless Service in front of the leader, whose name its containers get as HEAD_SVC. It counts the pods by GPUs: tensor x pipeline, divided
by the GPUs of the worker (pkg/controller/v1beta1/inferenceservice: components/predictor.go, multiNodeProcess and computeRayNodeAndGPUs;
reconcilers/deployment, createRawDeployment; reconcilers/service; kserve 1fb7810 (v0.20.0) and aaac4e2 of 2026-08-21, read 2026-11-23).
"""

import json

from components import efa, leader_worker_set_spec
from components.pods import Role
from components.resolved import Workload
from components.resolved_kserve import has_worker
from components.spec import Manifest

CONTAINER = "worker-container"
"""The name by which KServe finds the worker's container."""
PODS = 2
"""Pods of a copy: those of a Deployment have no number, and vLLM wants each pod's, so that only a single worker has a known one."""
_HEAD, _ONLY_WORKER = "$(HEAD_SVC)", "1"
_PERIOD = 10


def role(workload: Workload, *, leads: bool) -> Role:
    """What the leader, or its worker, does."""
    return leader_worker_set_spec.role(workload, leads=leads, leader=_HEAD, rank=_ONLY_WORKER)


def probes(workload: Workload) -> Manifest:
    """The worker's probes: it answers no HTTP itself, so they ask the leader, which is healthy only while this worker has joined it.

    A leader that starts anew waits for its worker, and a worker keeps to the leader that it has lost: without the liveness probe neither
    would ever go on. No readiness probe: the worker is ready once the startup probe has found the leader healthy.
    """
    ask = (
        "import http.client, os, sys; "
        f"leader = http.client.HTTPConnection(os.environ['HEAD_SVC'], {workload.engine.PORT}, timeout=8); "
        f"leader.request('GET', '{workload.engine.HEALTH_PATH}'); "
        "sys.exit(leader.getresponse().status != 200)"
    )
    command = {"exec": {"command": ["python3", "-c", ask]}, "timeoutSeconds": 10}
    return {
        "startupProbe": {
            **command,
            "periodSeconds": _PERIOD,
            "failureThreshold": -(-workload.startup.budget // _PERIOD),
        },
        "livenessProbe": {**command, "periodSeconds": 20, "failureThreshold": 6},
    }


def sizes(workload: Workload) -> dict[str, int]:
    """The sizes by which KServe counts pods and GPUs."""
    size = workload.parallelism
    return {"pipelineParallelSize": size.pipeline, "tensorParallelSize": size.tensor}


def annotations(workload: Workload) -> dict[str, str]:
    """Annotations of the InferenceService: its webhook takes every resource that it doesn't know for an unknown GPU
    (pkg/utils/utils.go, HasUnknownGpuResourceType). The GPU itself stays the first of its list."""
    others = sorted(efa.devices(workload)) if has_worker(workload) else []
    return {"serving.kserve.io/gpu-resource-types": json.dumps(others)} if others else {}


def servers(workload: Workload) -> dict[str, str]:
    """The label of the pods that answer HTTP; the worker's ends in -worker (pkg/constants, GetRawServiceLabel)."""
    return {"app": f"isvc.{workload.name}-predictor"}
