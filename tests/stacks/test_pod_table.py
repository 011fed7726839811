"""Workloads of a stack file -> complete pod specs, compared as whole values with specs that are written out here."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from components.pods import pod_template
from tests.preflight.case import COMMIT, stack

FOLDER = f"/models/llama/{COMMIT[:12]}"
SMALL = {"nodeGroups": {"gpu": {"instanceTypes": ["g6.2xlarge"]}}}
LAB = {
    "provisioner": "existing",
    "gpu": "H100-80GB",
    "gpusPerNode": 8,
    "nodes": 4,
    "nodeSelector": {"pool": "h100"},
    "instanceTypes": None,
    "subnetIds": None,
    "minSize": None,
    "maxSize": None,
}

Pod = dict[str, Any]


def base() -> Pod:
    """The pod of the base stack: Llama-3.1-8B on one H100 of p5.48xlarge, weights on EFS, two replicas."""
    spread = {
        "maxSkew": 1,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": {"app.kubernetes.io/name": "vllm", "app.kubernetes.io/instance": "chat"}},
    }
    probe = {"httpGet": {"path": "/health", "port": "http"}}
    fixed = {"memory": "11Gi", "ephemeral-storage": "15Gi", "nvidia.com/gpu": "1"}
    return {
        "metadata": {
            "labels": {
                "app.kubernetes.io/name": "vllm",
                "app.kubernetes.io/instance": "chat",
                "app.kubernetes.io/component": "model-server",
                "app.kubernetes.io/part-of": "llm-serving",
                "app.kubernetes.io/managed-by": "pulumi",
            },
            "annotations": {
                "prometheus.io/scrape": "true",
                "prometheus.io/port": "8000",
                "prometheus.io/path": "/metrics",
            },
        },
        "spec": {
            "serviceAccountName": "chat",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 75,
            "nodeSelector": {"llm-serving/node-group": "gpu"},
            "tolerations": [{"key": "nvidia.com/gpu", "operator": "Equal", "value": "present", "effect": "NoSchedule"}],
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 2000,
                "runAsGroup": 2000,
                "fsGroup": 2000,
                "fsGroupChangePolicy": "OnRootMismatch",
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "engine",
                    "image": "vllm/vllm-openai:v0.33.0",
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["vllm", "serve"],
                    "args": [
                        FOLDER,
                        "--port=8000",
                        "--shutdown-timeout=45",
                        "--served-model-name=llama",
                        "--max-model-len=8192",
                    ],
                    # 120 s process + 8,030,261,248 x 2 bytes at 100 MiB/s x 1.5 = 230 s + 240 s compile + 60 s graphs
                    "env": env(VLLM_ENGINE_READY_TIMEOUT_S="650", HF_HUB_OFFLINE="1"),
                    "ports": [{"name": "http", "containerPort": 8000, "protocol": "TCP"}],
                    "resources": {"requests": {"cpu": "4", **fixed}, "limits": fixed},
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "readOnlyRootFilesystem": True,
                        "capabilities": {"drop": ["ALL"]},
                    },
                    "startupProbe": {**probe, "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 65},
                    "readinessProbe": {**probe, "periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": 3},
                    "livenessProbe": {**probe, "periodSeconds": 20, "timeoutSeconds": 10, "failureThreshold": 6},
                    "lifecycle": {"preStop": {"sleep": {"seconds": 15}}},
                    "terminationMessagePolicy": "FallbackToLogsOnError",
                    "volumeMounts": [
                        {"name": "weights", "mountPath": "/models", "readOnly": True},
                        {"name": "shm", "mountPath": "/dev/shm"},
                        {"name": "cache", "mountPath": "/cache"},
                        {"name": "tmp", "mountPath": "/tmp"},
                    ],
                }
            ],
            "volumes": [
                {"name": "weights", "persistentVolumeClaim": {"claimName": "weights", "readOnly": True}},
                {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "1Gi"}},
                {"name": "cache", "emptyDir": {"sizeLimit": "10Gi"}},
                {"name": "tmp", "emptyDir": {"sizeLimit": "4Gi"}},
            ],
            "topologySpreadConstraints": [
                {"topologyKey": "topology.kubernetes.io/zone", **spread},
                {"topologyKey": "kubernetes.io/hostname", **spread},
            ],
        },
    }


def env(**values: str) -> list[dict[str, Any]]:
    """The engine's environment with more values, sorted by name."""
    every = {
        "CUDA_CACHE_PATH": "/cache/cuda",
        "DO_NOT_TRACK": "1",
        "FLASHINFER_WORKSPACE_BASE": "/cache/flashinfer",
        "HF_HOME": "/cache/huggingface",
        "HOME": "/cache/home",
        "LOGNAME": "llm-serving",
        "NUMBA_CACHE_DIR": "/cache/numba",
        "TMPDIR": "/tmp",
        "TORCHINDUCTOR_CACHE_DIR": "/cache/torchinductor",
        "TRITON_CACHE_DIR": "/cache/triton",
        "USER": "llm-serving",
        "VLLM_CACHE_ROOT": "/cache/vllm",
        "VLLM_CONFIG_ROOT": "/cache/vllm-config",
        "VLLM_NO_USAGE_STATS": "1",
        "XDG_CACHE_HOME": "/cache/xdg",
        "XDG_CONFIG_HOME": "/cache/config",
        **values,
    }
    return [{"name": name, "value": every[name]} for name in sorted(every)]


def container(pod: Pod) -> Pod:
    return pod["spec"]["containers"][0]


def same(pod: Pod) -> None:
    """Nothing changes."""


def args(*words: str) -> Callable[[Pod], None]:
    def change(pod: Pod) -> None:
        container(pod)["args"][5:] = words

    return change


def budget(pod: Pod, seconds: int, threshold: int) -> None:
    container(pod)["startupProbe"]["failureThreshold"] = threshold
    for one in container(pod)["env"]:
        if one["name"] == "VLLM_ENGINE_READY_TIMEOUT_S":
            one["value"] = str(seconds)


def fixed(pod: Pod, **amounts: str) -> None:
    names = {"memory": "memory", "disk": "ephemeral-storage", "gpus": "nvidia.com/gpu"}
    for key, value in amounts.items():
        for side in ("requests", "limits"):
            if key == "cpu":
                container(pod)["resources"]["requests"]["cpu"] = value
            else:
                container(pod)["resources"][side][names[key]] = value


def volume(pod: Pod, name: str) -> Pod:
    return next(one for one in pod["spec"]["volumes"] if one["name"] == name)


def tensor_parallel(pod: Pod) -> None:
    container(pod)["args"].insert(4, "--tensor-parallel-size=4")
    # 4 GiB + 6 GiB x 4 ranks + shm of 2 GiB + 1 GiB x 4 ranks
    fixed(pod, cpu="16", memory="34Gi", gpus="4")
    volume(pod, "shm")["emptyDir"]["sizeLimit"] = "6Gi"


def all_ranks(pod: Pod) -> None:
    container(pod)["args"][4:4] = [
        "--tensor-parallel-size=2",
        "--pipeline-parallel-size=2",
        "--data-parallel-size=2",
    ]
    fixed(pod, cpu="32", memory="62Gi", gpus="8")
    volume(pod, "shm")["emptyDir"]["sizeLimit"] = "10Gi"


def one_replica(pod: Pod) -> None:
    del pod["spec"]["topologySpreadConstraints"]


def without_volume(pod: Pod) -> None:
    container(pod)["args"][0] = "meta-llama/Llama-3.1-8B-Instruct"
    container(pod)["args"].insert(1, f"--revision={COMMIT}")
    container(pod)["env"] = [
        *env(VLLM_ENGINE_READY_TIMEOUT_S="879"),
        {"name": "HF_TOKEN", "valueFrom": {"secretKeyRef": {"name": "hf-token", "key": "token"}}},
    ]
    container(pod)["startupProbe"]["failureThreshold"] = 88
    del container(pod)["volumeMounts"][0]
    del pod["spec"]["volumes"][0]
    # 10 GiB + 8,030,261,248 x 2 bytes x 1.05
    volume(pod, "cache")["emptyDir"]["sizeLimit"] = "26323Mi"
    fixed(pod, disk="31443Mi")


def from_config_secret(pod: Pod) -> None:
    without_volume(pod)
    container(pod)["env"][-1]["valueFrom"]["secretKeyRef"] = {"name": "hugging-face-token", "key": "HF_TOKEN"}


def on_the_lab(pod: Pod) -> None:
    pod["spec"]["nodeSelector"] = {"pool": "h100"}
    pod["spec"]["tolerations"] = [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]


def small_node(pod: Pod) -> None:
    # 7.91 allocatable CPU x 0.75, to tenths
    fixed(pod, cpu="4")


def tiny_node(pod: Pod) -> None:
    fixed(pod, cpu="2900m")


def given_resources(pod: Pod) -> None:
    fixed(pod, cpu="6500m", memory="48Gi", disk="60Gi")
    volume(pod, "shm")["emptyDir"]["sizeLimit"] = "8Gi"


def long_drain(pod: Pod) -> None:
    pod["spec"]["terminationGracePeriodSeconds"] = 335
    container(pod)["args"][2] = "--shutdown-timeout=300"
    container(pod)["lifecycle"]["preStop"]["sleep"]["seconds"] = 20


def eager(pod: Pod) -> None:
    container(pod)["args"].append("--enforce-eager")
    budget(pod, 350, 35)


def given_startup(pod: Pod) -> None:
    budget(pod, 1805, 181)


def fast_volume(pod: Pod) -> None:
    # 15,316 MiB at 1,000 MiB/s x 1.5 is less than the least, 30 s
    budget(pod, 450, 45)


def digest(pod: Pod) -> None:
    container(pod)["image"] = "mirror.example/vllm:v0.32.0@sha256:" + "a" * 64


def named(pod: Pod) -> None:
    container(pod)["args"][3:4] = ["--served-model-name", "llama", "gpt-4"]


def extra_taint(pod: Pod) -> None:
    pod["spec"]["tolerations"].append({"key": "team", "operator": "Equal", "value": "ml", "effect": "NoExecute"})


def labelled(pod: Pod) -> None:
    pod["metadata"]["labels"]["team"] = "search"
    pod["spec"]["priorityClassName"] = "inference"
    container(pod)["env"] = env(VLLM_ENGINE_READY_TIMEOUT_S="650", HF_HUB_OFFLINE="1", VLLM_LOGGING_LEVEL="DEBUG")


def no_annotations(pod: Pod) -> None:
    del pod["metadata"]["annotations"]


def existing_claim(pod: Pod) -> None:
    container(pod)["args"][0] = "/models/llama-3.1-8b"
    volume(pod, "weights")["persistentVolumeClaim"]["claimName"] = "model-storage"


def chat(**keys: Any) -> dict[str, Any]:
    return {"workloads": {"chat": keys}}


def engine(**keys: Any) -> dict[str, Any]:
    return chat(engine=keys)


NO_VOLUME = {"models": {"llama": {"volume": None}}}
TABLE: dict[str, tuple[dict[str, Any], Callable[[Pod], None]]] = {
    "the base stack": ({}, same),
    "tensor parallel": (engine(tensorParallelSize=4), tensor_parallel),
    "tensor x pipeline x data parallel": (
        engine(tensorParallelSize=2, pipelineParallelSize=2, dataParallelSize=2),
        all_ranks,
    ),
    "one replica": (chat(replicas=1), one_replica),
    "surge changes nothing in the pod": (chat(rollout="surge"), same),
    "weights from the Hub": (NO_VOLUME, without_volume),
    "token from a Pulumi secret": (
        {**NO_VOLUME, "huggingFaceToken": {"secretName": None, "configSecret": "hfToken"}},
        from_config_secret,
    ),
    "an existing pool": ({"nodeGroups": {"gpu": LAB}}, on_the_lab),
    "a g6.2xlarge": (SMALL, small_node),
    "a g6.xlarge has less CPU": ({"nodeGroups": {"gpu": {"instanceTypes": ["g6.xlarge"]}}}, tiny_node),
    "resources that the stack file gives": (
        chat(resources={"cpu": "6500m", "memory": "48Gi", "shm": "8Gi", "ephemeralStorage": "60Gi"}),
        given_resources,
    ),
    "a long drain": (chat(drain={"preStopSeconds": 20, "shutdownTimeoutSeconds": 300}), long_drain),
    "no CUDA graphs": (engine(enforceEager=True), eager),
    "a start-up time that the stack file gives": (chat(startupTimeoutSeconds=1805), given_startup),
    "a volume of known speed": ({"volumes": {"weights": {"throughputMiBps": 1000}}}, fast_volume),
    "another image by digest": (
        engine(version="0.32.0", image="mirror.example/vllm", imageDigest="sha256:" + "a" * 64),
        digest,
    ),
    "several served names": (engine(servedModelName=["llama", "gpt-4"]), named),
    "memory options": (
        engine(gpuMemoryUtilization=0.9, kvCacheDtype="fp8", maxNumSeqs=256, maxNumBatchedTokens=4096),
        lambda pod: container(pod).update(
            args=[
                *container(pod)["args"][:5],
                "--gpu-memory-utilization=0.9",
                "--kv-cache-dtype=fp8",
                "--max-num-seqs=256",
                "--max-num-batched-tokens=4096",
            ]
        ),
    ),
    "switches on": (
        engine(enableChunkedPrefill=True, enablePrefixCaching=True),
        args("--enable-chunked-prefill", "--enable-prefix-caching"),
    ),
    "switches off in 0.33 are disable-": (
        engine(enableChunkedPrefill=False, enablePrefixCaching=False, trustRemoteCode=False),
        args("--disable-chunked-prefill", "--disable-prefix-caching", "--no-trust-remote-code"),
    ),
    "extra arguments come last, as written": (
        engine(extraArgs=["--enable-auto-tool-choice", "--tool-call-parser=hermes"]),
        args("--enable-auto-tool-choice", "--tool-call-parser=hermes"),
    ),
    "more taints": (
        {"nodeGroups": {"gpu": {"taints": [{"key": "team", "value": "ml", "effect": "NoExecute"}]}}},
        extra_taint,
    ),
    "labels, priority and environment": (
        chat(labels={"team": "search"}, priorityClassName="inference", env={"VLLM_LOGGING_LEVEL": "DEBUG"}),
        labelled,
    ),
    "a PodMonitor instead of annotations": (chat(metrics="podMonitor"), no_annotations),
    "an existing claim": (
        {
            "volumes": {
                "weights": {
                    "storage": "existingClaim",
                    "claimName": "model-storage",
                    "accessMode": "ReadWriteMany",
                    "fileSystemId": None,
                }
            },
            "models": {"llama": {"path": "llama-3.1-8b"}},
        },
        existing_claim,
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_a_workload_becomes_exactly_this_pod(name: str) -> None:
    patch, change = TABLE[name]
    expected = base()
    change(expected)
    assert pod_template(stack(patch).workloads["chat"]) == expected


def test_switches_off_before_0_33_are_no_() -> None:
    workload = stack(engine(version="0.32.0", enableChunkedPrefill=False)).workloads["chat"]
    assert workload.args[-1] == "--no-enable-chunked-prefill"


@pytest.mark.parametrize("name", TABLE)
def test_deadlines_are_ordered(name: str) -> None:
    workload = stack(TABLE[name][0]).workloads["chat"]
    start, drain = workload.startup, workload.drain
    assert drain.pre_stop + drain.shutdown < drain.grace
    assert start.load + start.compile + start.graphs < start.budget or "stack file" in start.basis
    assert start.budget < start.progress_deadline <= start.rollout_timeout
    assert start.rollout_timeout == start.progress_deadline * -(-workload.replicas // max(workload.max_unavailable, 1))


def test_the_pods_memory_covers_shared_memory_and_disk_covers_empty_dirs() -> None:
    for patch, _ in TABLE.values():
        pod = stack(patch).workloads["chat"].resources
        assert pod.memory > pod.shm
        assert pod.ephemeral_storage >= pod.cache + pod.tmp


def test_specs_are_not_shared_between_calls() -> None:
    workload = stack({}).workloads["chat"]
    first = pod_template(workload)
    first["spec"]["nodeSelector"]["x"] = "y"
    assert pod_template(workload) == base()
    assert copy.deepcopy(base()) == base()
