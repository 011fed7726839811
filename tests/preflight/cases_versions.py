"""VER: stacks that break each rule, and the nearest ones that don't."""

from tests.preflight.case import Case

NO_WAIT = {"workloads": {"chat": {"drain": {"preStopSeconds": 0}}}}

CASES = [
    Case(
        code="VER001",
        breaks={"cluster": {"kubernetesVersion": "1.29"}},
        says=("Kubernetes 1.29", "preStop.sleep", "since 1.30"),
        remedy="upgrade the cluster to 1.30",
        passes={"cluster": {"kubernetesVersion": None}},
    ),
    Case(
        code="VER001",
        breaks={"cluster": {"kubernetesVersion": "1.32"}, **NO_WAIT},
        says=("sleep of 0 seconds", "1.33"),
        remedy="set workloads.chat.drain.preStopSeconds: 1",
        passes={"cluster": {"kubernetesVersion": "1.33"}, **NO_WAIT},
    ),
    Case(
        code="VER002",
        breaks={"platform": {"nvidiaDevicePlugin": {"version": "0.17.1"}}},
        says=("0.20.0", "0.17.1"),
        remedy="set platform.nvidiaDevicePlugin.version: 0.20.0",
    ),
]
