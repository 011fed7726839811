"""What differs where some copies of a model only prefill: the pods of an LLMInferenceService on both sides. Pure.

KServe makes two Deployments: of `spec` with the preset kserve-config-llm-decode-template, and of `spec.prefill` with
kserve-config-llm-prefill-template (kserve 1fb7810 (v0.20.0), pkg/controller/v1alpha2/llmisvc/workload_single_node.go, read 2026-11-23).
Both listen at 8000. In a pod that decodes that is the routing sidecar: a request whose header `x-prefiller-host-port` names another pod
goes there first, with one token to make, then to the sidecar's own engine with the place of the KV cache; without the header to its own
engine only (llm-d/llm-d-router v0.9.0, 5f4e762, pkg/sidecar/proxy/chat_completions.go and connector_nixlv2.go, read 2026-11-23).
"""

from dataclasses import replace
from typing import Any

from components import pods
from components.pods import Role
from components.resolved import Workload
from components.spec import GIB, MIB, mebibytes

ENGINE_PORT = 8001
"""Of the engine behind the sidecar (config/llmisvcconfig/config-llm-decode-template.yaml)."""
# Engineering margins of ours, no measurement: it copies requests and answers, and holds each prompt until its prefill is done.
SIDECAR_MEMORY = GIB // 2
_SIDECAR_CPU, _SIDECAR_DISK = 250, 128 * MIB
_MOST = 4
"""The sidecar takes at most one part in so many of what `resources` gives a pod."""
_SIDECAR = "llm-d-routing-sidecar"
"""The name by which KServe finds it."""
_ROLE = "llm-d.ai/role"
"""The label by which KServe and its scheduler tell the pods apart."""
_NIXL_HOST = {"name": "VLLM_NIXL_SIDE_CHANNEL_HOST", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
"""Where other pods ask for KV cache; vLLM's default is localhost (0.32.0, vllm/envs.py)."""
PREFILL, DECODE = Role(env=(_NIXL_HOST,)), Role(env=(_NIXL_HOST,), port=ENGINE_PORT)


def selectors(selector: dict[str, str]) -> dict[str, dict[str, str]]:
    """Of all pods: those that decode, and those that prefill, by what names of objects end with."""
    return {"": {**selector, _ROLE: "decode"}, "-kserve-prefill": {**selector, _ROLE: "prefill"}}


def prefiller(workload: Workload) -> Workload:
    """The copies that only prefill, as a workload of their own."""
    return replace(workload, replicas=workload.prefill_replicas, args=workload.settings.prefill_args or ())


def decoder(workload: Workload) -> Workload:
    """The copies that answer, with what the sidecar leaves of the pod: so every pod of the workload asks a node for the same."""
    pod, cpu, memory, disk = workload.resources, *_shares(workload)
    left = replace(
        pod,
        cpu_millis=pod.cpu_millis - cpu,
        memory=pod.memory - memory,
        ephemeral_storage=pod.ephemeral_storage - disk,
    )
    return replace(workload, resources=left)


def sidecar(workload: Workload) -> dict[str, Any]:
    """Our part of the routing sidecar; its image is the preset's, which is KServe's own release.

    The command replaces the preset's, whose protection against forged headers asks the API server which pods belong to the pool and
    opens the port only after the answer (pkg/sidecar/proxy/allowlist.go, proxy_helpers.go). That needs a token that may list every pod
    of the namespace, in a pod that serves strangers; egress to the API server, whose addresses a NetworkPolicy can't name without
    opening them for the engine too; and the pool in inference.networking.x-k8s.io, which not every cluster has. Instead our
    NetworkPolicy holds the sidecar to the workload's own pods, DNS, and port 443 outside where weights are downloaded.
    """
    cpu, memory, disk = _shares(workload)
    fixed = {"memory": mebibytes(memory), "ephemeral-storage": mebibytes(disk)}
    health = {"httpGet": {"path": "/health", "port": pods.PORT_NAME, "scheme": "HTTP"}}
    return {
        "name": _SIDECAR,
        "command": [
            "/app/pd-sidecar",
            f"--port={workload.engine.PORT}",
            f"--vllm-port={ENGINE_PORT}",
            "--kv-connector=nixlv2",
            "--enable-ssrf-protection=false",
            "--secure-proxy=false",
        ],
        "ports": [{"name": pods.PORT_NAME, "containerPort": workload.engine.PORT, "protocol": "TCP"}],
        "livenessProbe": health,
        "readinessProbe": health,
        "resources": {"requests": {"cpu": pods.cpu(cpu), **fixed}, "limits": fixed},
        "securityContext": pods.container_security(),
        "restartPolicy": "Always",
    }


def _shares(workload: Workload) -> tuple[int, int, int]:
    """CPU in thousandths, memory and disk in bytes, of a pod's."""
    pod = workload.resources
    return (
        min(_SIDECAR_CPU, pod.cpu_millis // _MOST),
        min(SIDECAR_MEMORY, pod.memory // _MOST // MIB * MIB),
        min(_SIDECAR_DISK, pod.ephemeral_storage // _MOST // MIB * MIB),
    )
