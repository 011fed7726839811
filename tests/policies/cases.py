"""What each policy refuses, accepts and can't decide: changes to the stack of tests/policies/stack.py."""

from dataclasses import dataclass, field
from typing import Any

from policies.view import UNKNOWN
from tests.policies.stack import REMOVE, Path

POD: Path = ("spec", "template", "spec")
ENGINE: Path = (*POD, "containers", 0)
Change = tuple[str, Path, Any]


@dataclass(frozen=True, kw_only=True)
class Case:
    """Changes, and what the policy says of them."""

    policy: str
    changes: tuple[Change, ...] = ()
    without: str = ""
    config: dict[str, Any] = field(default_factory=dict)
    says: tuple[str, ...] = ()
    """Words of the one violation."""
    passes: bool = False
    undecided: str = ""
    """Path of the value that would decide; nothing is refused then."""

    def __str__(self) -> str:
        what = self.undecided or " ".join(self.says[:1]) or "passes"
        return f"{self.policy}: {what}"


def deployment(*path: str | int, to: Any) -> Change:
    return ("Deployment", path, to)


def engine(*path: str | int, to: Any) -> Change:
    return ("Deployment", (*ENGINE, *path), to)


def refused(policy: str, *changes: Change, says: str | tuple[str, ...], **more: Any) -> Case:
    return Case(policy=policy, changes=changes, says=(says,) if isinstance(says, str) else says, **more)


def passing(policy: str, *changes: Change, **more: Any) -> Case:
    return Case(policy=policy, changes=changes, passes=True, **more)


def unknown(policy: str, kind: str, *path: str | int, at: str = "", more: tuple[Change, ...] = ()) -> Case:
    return Case(policy=policy, changes=((kind, path, UNKNOWN), *more), undecided=at or str(path[-1]))


_RWO = ("PersistentVolumeClaim", ("spec", "accessModes"), ["ReadWriteOnce"])
_TOKEN = "hf_" + "Ab1" * 12
_ONE_GPU = engine("resources", "limits", "nvidia.com/gpu", to=1)
_NO_STRATEGY = deployment("spec", "strategy", to=REMOVE)
_SECOND = {"name": "sidecar", "image": "envoyproxy/envoy:v1.36.2"}
_GPU_POD_ELSEWHERE = deployment("metadata", "namespace", to="other")
_ONE_AVAILABLE: tuple[Change, ...] = (
    ("PodDisruptionBudget", ("spec", "maxUnavailable"), REMOVE),
    ("PodDisruptionBudget", ("spec", "minAvailable"), 1),
)

CASES = [
    # images-pinned
    refused("images-pinned", engine("image", to="vllm/vllm-openai:latest"), says=("latest", "moves")),
    refused("images-pinned", engine("image", to="registry:5000/vllm"), says="moves"),
    refused(
        "images-pinned",
        deployment(*POD, "initContainers", to=[{"name": "fetch", "image": "busybox:stable"}]),
        says="initContainers[0].image",
    ),
    refused("images-pinned", says="no digest", config={"requireDigest": True}),
    passing("images-pinned", engine("image", to="vllm/vllm-openai:latest@sha256:" + "0" * 64)),
    passing("images-pinned", engine("image", to="vllm/vllm-openai:nightly-0123abc")),
    passing(
        "images-pinned", engine("image", to="vllm/vllm-openai@sha256:" + "0" * 64), config={"requireDigest": True}
    ),
    unknown("images-pinned", "Deployment", *ENGINE, "image"),
    # no-plaintext-secrets
    refused(
        "no-plaintext-secrets",
        engine("env", 2, to={"name": "HF_TOKEN", "value": _TOKEN}),
        says=("env[2]", "HF_TOKEN looks like a secret"),
    ),
    refused("no-plaintext-secrets", engine("args", 5, to=_TOKEN), says="form of a token"),
    refused("no-plaintext-secrets", engine("args", 5, to="--api-key=hunter2"), says="--api-key has a plain value"),
    refused(
        "no-plaintext-secrets",
        engine("command", to=["sh", "-c", f"HF_TOKEN={_TOKEN} vllm serve /models/llama"]),
        says="form of a token",
    ),
    refused("no-plaintext-secrets", ("ConfigMap", ("data", "HF_TOKEN"), _TOKEN), says="data.HF_TOKEN"),
    refused("no-plaintext-secrets", engine("args", 5, to="--admin-api-key=hunter2"), says="from a Secret's variable"),
    passing("no-plaintext-secrets", engine("args", 5, to="--api-key=$(VLLM_API_KEY)")),
    unknown("no-plaintext-secrets", "Deployment", *ENGINE, "env", 0, "value"),
    # trust-remote-code-off
    refused("trust-remote-code-off", engine("args", 5, to="--trust-remote-code"), says="--trust-remote-code"),
    refused("trust-remote-code-off", engine("args", 5, to="--trust_remote_code=true"), says="--trust-remote-code"),
    refused(
        "trust-remote-code-off",
        engine("command", to=["sh", "-c", "exec vllm serve /models/llama --trust-remote-code"]),
        says="--trust-remote-code",
    ),
    refused(
        "trust-remote-code-off", engine("env", 2, to={"name": "TRUST_REMOTE_CODE", "value": "true"}), says="env[2]"
    ),
    passing("trust-remote-code-off", engine("args", 5, to="--no-trust-remote-code")),
    passing("trust-remote-code-off", engine("env", 2, to={"name": "TRUST_REMOTE_CODE", "value": "false"})),
    unknown("trust-remote-code-off", "Deployment", *ENGINE, "args", 0, at="args[0]"),
    # pod-security-restricted
    *(
        refused("pod-security-restricted", deployment(*POD, key, to=True), says=key)
        for key in ("hostNetwork", "hostPID", "hostIPC")
    ),
    refused(
        "pod-security-restricted",
        deployment(*POD, "volumes", 2, to={"name": "run", "hostPath": {"path": "/run"}}),
        says="volumes[2].hostPath",
    ),
    refused("pod-security-restricted", engine("securityContext", "privileged", to=True), says="privileged is true"),
    refused(
        "pod-security-restricted",
        engine("securityContext", "allowPrivilegeEscalation", to=REMOVE),
        says="allowPrivilegeEscalation must be false",
    ),
    refused("pod-security-restricted", engine("securityContext", "capabilities", "drop", to=["NET_RAW"]), says="ALL"),
    refused(
        "pod-security-restricted", engine("securityContext", "capabilities", "add", to=["IPC_LOCK"]), says="IPC_LOCK"
    ),
    refused(
        "pod-security-restricted", deployment(*POD, "securityContext", "runAsNonRoot", to=REMOVE), says="runAsNonRoot"
    ),
    refused("pod-security-restricted", engine("securityContext", "runAsNonRoot", to=False), says="runAsNonRoot"),
    refused("pod-security-restricted", engine("securityContext", "runAsUser", to=0), says="runAsUser is 0"),
    refused(
        "pod-security-restricted",
        deployment(*POD, "securityContext", "seccompProfile", "type", to="Unconfined"),
        says="seccompProfile.type",
    ),
    refused("pod-security-restricted", engine("ports", 0, "hostPort", to=8000), says="hostPort"),
    refused(
        "pod-security-restricted",
        deployment(*POD, "securityContext", "sysctls", to=[{"name": "kernel.msgmax", "value": "1"}]),
        says="kernel.msgmax",
    ),
    passing("pod-security-restricted", engine("securityContext", "capabilities", "add", to=["NET_BIND_SERVICE"])),
    passing(
        "pod-security-restricted",
        deployment(*POD, "securityContext", to={"seccompProfile": {"type": "Localhost", "localhostProfile": "a"}}),
        engine("securityContext", "runAsNonRoot", to=True),
    ),
    passing("pod-security-restricted", deployment(*POD, "hostNetwork", to=False)),
    passing(
        "pod-security-restricted",
        deployment(*POD, "hostNetwork", to=True),
        deployment("metadata", "namespace", to="kube-system"),
    ),
    refused(
        "images-pinned",
        engine("image", to="vllm/vllm-openai:latest"),
        deployment("metadata", "namespace", to="kube-system"),
        says="moves",
    ),
    unknown("pod-security-restricted", "Deployment", *ENGINE, "securityContext", "allowPrivilegeEscalation"),
    unknown("pod-security-restricted", "Deployment", *POD, "hostNetwork"),
    unknown("pod-security-restricted", "Deployment", *POD, "securityContext", "runAsUser"),
    # gpu-limits
    refused(
        "gpu-limits",
        engine("resources", to={"requests": {"nvidia.com/gpu": 4}, "limits": {"memory": "64Gi"}}),
        says="without a limit",
    ),
    refused("gpu-limits", engine("resources", "requests", "nvidia.com/gpu", to="2"), says="request 2 and limit 4"),
    refused("gpu-limits", engine("resources", "limits", "nvidia.com/gpu", to="500m"), says="no whole number"),
    refused("gpu-limits", engine("resources", "limits", "memory", to=REMOVE), says="no memory limit"),
    passing("gpu-limits", engine("resources", "requests", "nvidia.com/gpu", to="4")),
    passing("gpu-limits", engine("resources", to={})),
    unknown("gpu-limits", "Deployment", *ENGINE, "resources", "limits", "nvidia.com/gpu", at='"nvidia.com/gpu"]'),
    # gpu-visible-devices
    *(
        refused("gpu-visible-devices", engine("env", 2, to={"name": name, "value": "0,1"}), says=(name, "its 4 GPUs"))
        for name in ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES")
    ),
    refused(
        "gpu-visible-devices",
        engine("resources", to={}),
        engine("env", 2, to={"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}),
        says="takes GPUs",
    ),
    passing(
        "gpu-visible-devices",
        engine("resources", to={}),
        engine("env", 2, to={"name": "NVIDIA_VISIBLE_DEVICES", "value": "void"}),
    ),
    unknown("gpu-visible-devices", "Deployment", *ENGINE, "env", 0, "name"),
    # gpu-shared-memory
    refused("gpu-shared-memory", engine("volumeMounts", 0, to=REMOVE), says=("4 GPUs", "64 MiB")),
    refused("gpu-shared-memory", deployment(*POD, "volumes", 0, "emptyDir", to={}), says="medium: Memory"),
    refused("gpu-shared-memory", deployment(*POD, "volumes", 0, "emptyDir", "sizeLimit", to="64Gi"), says="64Gi"),
    passing("gpu-shared-memory", engine("volumeMounts", 0, to=REMOVE), _ONE_GPU),
    passing("gpu-shared-memory", deployment(*POD, "volumes", 0, "emptyDir", "sizeLimit", to=REMOVE)),
    unknown("gpu-shared-memory", "Deployment", *POD, "volumes", 0, "emptyDir", "sizeLimit"),
    # vllm-shared-memory-size: 160 MiB + 4 x 240 MiB, and 1 MiB for the flags
    refused(
        "vllm-shared-memory-size",
        deployment(*POD, "volumes", 0, "emptyDir", "sizeLimit", to="1120Mi"),
        says=("1120Mi", "1121Mi", "4 workers"),
    ),
    passing("vllm-shared-memory-size", deployment(*POD, "volumes", 0, "emptyDir", "sizeLimit", to="1121Mi")),
    passing(
        "vllm-shared-memory-size",
        deployment(*POD, "volumes", 0, "emptyDir", "sizeLimit", to="512Mi"),
        engine("args", 5, to="--distributed-executor-backend=ray"),
    ),
    passing(
        "vllm-shared-memory-size",
        deployment(*POD, "volumes", 0, "emptyDir", "sizeLimit", to="512Mi"),
        engine("image", to="ghcr.io/huggingface/text-generation-inference:3.3.6"),
        engine("command", to=REMOVE),
    ),
    unknown("vllm-shared-memory-size", "Deployment", *POD, "volumes", 0, "emptyDir", "sizeLimit"),
    refused(
        "gpu-shared-memory",
        engine("volumeMounts", 0, to=REMOVE),
        engine("resources", "limits", "nvidia.com/gpu", to=2),
        says="2 GPUs",
    ),
    refused(
        "vllm-shared-memory-size",
        deployment(*POD, "volumes", 0, "emptyDir", "sizeLimit", to="640Mi"),
        engine("resources", "limits", "nvidia.com/gpu", to=2),
        says=("641Mi", "2 workers"),
    ),
    # gpu-rollout-progresses
    refused("gpu-rollout-progresses", _NO_STRATEGY, says=("2 replicas", "1 pod", "4 spare GPUs")),
    refused(
        "gpu-rollout-progresses",
        deployment("spec", "strategy", "rollingUpdate", to={"maxSurge": "50%", "maxUnavailable": "25%"}),
        says="1 pod",
        config={"allowSurge": False},
    ),
    refused(
        "gpu-rollout-progresses",
        deployment("spec", "strategy", "rollingUpdate", to={"maxUnavailable": 0}),
        says="2 replicas",
    ),
    passing("gpu-rollout-progresses", _NO_STRATEGY, deployment("spec", "replicas", to=4)),
    passing("gpu-rollout-progresses", deployment("spec", "strategy", to={"type": "Recreate"})),
    passing(
        "gpu-rollout-progresses",
        deployment("spec", "strategy", "rollingUpdate", to={"maxSurge": 1, "maxUnavailable": 0}),
    ),
    passing("gpu-rollout-progresses", _NO_STRATEGY, engine("resources", to={})),
    passing(
        "gpu-rollout-progresses",
        deployment("spec", "strategy", "rollingUpdate", to={"maxSurge": 0, "maxUnavailable": 0}),
    ),
    unknown("gpu-rollout-progresses", "Deployment", "spec", "strategy"),
    unknown("gpu-rollout-progresses", "Deployment", "spec", "replicas", more=(_NO_STRATEGY,)),
    # model-server-startup-probe
    refused("model-server-startup-probe", engine("startupProbe", to=REMOVE), says="without a startupProbe"),
    passing("model-server-startup-probe", engine("startupProbe", to=REMOVE), engine("resources", to={})),
    passing(
        "model-server-startup-probe",
        engine("startupProbe", to=REMOVE),
        engine("ports", to=REMOVE),
        engine("livenessProbe", to=REMOVE),
    ),
    unknown(
        "model-server-startup-probe",
        "Deployment",
        *ENGINE,
        "resources",
        at="resources",
        more=(engine("startupProbe", to=REMOVE),),
    ),
    # progress-deadline-covers-startup
    refused(
        "progress-deadline-covers-startup", deployment("spec", "progressDeadlineSeconds", to=899), says=("899", "900 s")
    ),
    refused(
        "progress-deadline-covers-startup", deployment("spec", "progressDeadlineSeconds", to=REMOVE), says="600"
    ),
    passing("progress-deadline-covers-startup", deployment("spec", "progressDeadlineSeconds", to=900)),
    unknown("progress-deadline-covers-startup", "Deployment", "spec", "progressDeadlineSeconds"),
    # grace-period-covers-drain
    refused(
        "grace-period-covers-drain",
        deployment(*POD, "terminationGracePeriodSeconds", to=75),
        says=("is 75", "15 s", "60 s"),
    ),
    refused(
        "grace-period-covers-drain",
        deployment(*POD, "terminationGracePeriodSeconds", to=REMOVE),
        engine("lifecycle", to={"preStop": {"sleep": {"seconds": 30}}}),
        says=("is 30", "30 s"),
    ),
    passing("grace-period-covers-drain", deployment(*POD, "terminationGracePeriodSeconds", to=76)),
    passing(
        "grace-period-covers-drain",
        deployment(*POD, "terminationGracePeriodSeconds", to=0),
        engine("lifecycle", to=REMOVE),
        engine("args", to=["/models/llama"]),
    ),
    unknown("grace-period-covers-drain", "Deployment", *POD, "terminationGracePeriodSeconds"),
    # gpu-workloads-have-budgets
    refused("gpu-workloads-have-budgets", without="PodDisruptionBudget", says="Deployment: no PodDisruptionBudget"),
    refused("gpu-workloads-have-budgets", _GPU_POD_ELSEWHERE, says="no PodDisruptionBudget"),
    refused(
        "gpu-workloads-have-budgets",
        ("PodDisruptionBudget", ("spec", "selector", "matchLabels", "app"), "another"),
        says="no PodDisruptionBudget",
    ),
    passing("gpu-workloads-have-budgets", engine("resources", to={}), without="PodDisruptionBudget"),
    passing("gpu-workloads-have-budgets", ("PodDisruptionBudget", ("spec", "selector"), {})),
    unknown("gpu-workloads-have-budgets", "PodDisruptionBudget", "metadata", "namespace"),
    # budgets-let-drains-pass
    *(
        refused("budgets-let-drains-pass", ("PodDisruptionBudget", ("spec", "maxUnavailable"), value), says=str(value))
        for value in (0, "0%")
    ),
    *(
        refused(
            "budgets-let-drains-pass",
            ("PodDisruptionBudget", ("spec", "maxUnavailable"), REMOVE),
            ("PodDisruptionBudget", ("spec", "minAvailable"), value),
            says=f"minAvailable is {value}",
        )
        for value in (2, "100%")
    ),
    passing(
        "budgets-let-drains-pass",
        ("PodDisruptionBudget", ("spec", "maxUnavailable"), REMOVE),
        ("PodDisruptionBudget", ("spec", "minAvailable"), 1),
    ),
    # Without a number of its own it has one replica, or as many as the autoscaler says.
    refused(
        "budgets-let-drains-pass",
        *_ONE_AVAILABLE,
        deployment("spec", "replicas", to=REMOVE),
        without="HorizontalPodAutoscaler",
        says="Deployment has 1 replicas",
    ),
    passing("budgets-let-drains-pass", *_ONE_AVAILABLE, deployment("spec", "replicas", to=REMOVE)),
    passing("budgets-let-drains-pass", *_ONE_AVAILABLE, deployment("spec", "replicas", to=0)),
    passing("budgets-let-drains-pass", *_ONE_AVAILABLE, deployment("spec", "replicas", to=1), _GPU_POD_ELSEWHERE),
    passing(
        "budgets-let-drains-pass",
        *_ONE_AVAILABLE,
        deployment("spec", "replicas", to=1),
        ("PodDisruptionBudget", ("spec", "selector", "matchLabels", "app"), "another"),
    ),
    unknown("budgets-let-drains-pass", "PodDisruptionBudget", "spec", "maxUnavailable"),
    # gpu-workloads-isolated
    refused("gpu-workloads-isolated", without="NetworkPolicy", says="Deployment: no NetworkPolicy"),
    refused("gpu-workloads-isolated", _GPU_POD_ELSEWHERE, says="no NetworkPolicy"),
    refused(
        "gpu-workloads-isolated", ("NetworkPolicy", ("spec", "policyTypes"), ["Egress"]), says="selects its pods"
    ),
    passing("gpu-workloads-isolated", ("NetworkPolicy", ("spec", "policyTypes"), REMOVE)),
    passing("gpu-workloads-isolated", ("NetworkPolicy", ("spec", "podSelector"), {})),
    passing("gpu-workloads-isolated", engine("resources", to={}), without="NetworkPolicy"),
    unknown("gpu-workloads-isolated", "NetworkPolicy", "spec", "podSelector", "matchLabels"),
    # callers-known
    *(
        refused(
            "callers-known",
            ("NetworkPolicy", ("spec", "ingress", 0, "from", 0, "ipBlock", "cidr"), cidr),
            says=(cidr, "every address"),
        )
        for cidr in ("0.0.0.0/0", "::/0")
    ),
    refused("callers-known", ("NetworkPolicy", ("spec", "ingress"), [{}]), says="no `from`"),
    passing(
        "callers-known",
        ("NetworkPolicy", ("spec", "ingress"), [{}]),
        ("NetworkPolicy", ("spec", "podSelector", "matchLabels", "app"), "gateway"),
    ),
    passing("callers-known", ("NetworkPolicy", ("spec", "ingress"), [])),
    unknown("callers-known", "NetworkPolicy", "spec", "ingress", 0, "from", 0, "ipBlock", "cidr"),
    # services-internal
    refused("services-internal", ("Service", ("spec", "type"), "LoadBalancer"), says="without loadBalancerSourceRanges"),
    refused(
        "services-internal",
        ("Service", ("spec", "type"), "LoadBalancer"),
        ("Service", ("spec", "loadBalancerSourceRanges"), ["0.0.0.0/0"]),
        says="everybody",
    ),
    refused("services-internal", ("Service", ("spec", "type"), "NodePort"), says="NodePort"),
    refused("services-internal", ("Service", ("spec", "externalIPs"), ["203.0.113.9"]), says="externalIPs"),
    passing("services-internal", ("Service", ("spec", "type"), "NodePort"), config={"allowNodePort": True}),
    passing(
        "services-internal",
        ("Service", ("spec", "type"), "LoadBalancer"),
        ("Service", ("spec", "loadBalancerSourceRanges"), ["198.51.100.0/24"]),
    ),
    unknown("services-internal", "Service", "spec", "type"),
    # claims-protected
    refused("claims-protected", ("PersistentVolumeClaim", ("protect",), False), says="isn't protected"),
    # single-writer-claims
    refused("single-writer-claims", _RWO, says=("2 replicas", "ReadWriteOnce")),
    refused(
        "single-writer-claims",
        ("PersistentVolumeClaim", ("spec", "accessModes"), ["ReadWriteOncePod"]),
        says="one pod",
    ),
    passing("single-writer-claims", _RWO, deployment("spec", "replicas", to=1)),
    passing("single-writer-claims", _RWO, ("PersistentVolumeClaim", ("metadata", "name"), "others")),
    passing("single-writer-claims", ("PersistentVolumeClaim", ("spec", "accessModes"), ["ReadWriteOnce", "ReadOnlyMany"])),
    unknown("single-writer-claims", "Deployment", "spec", "replicas", more=(_RWO,)),
    # gpu-ami-types
    refused("gpu-ami-types", ("NodeGroup", ("amiType",), "AL2023_x86_64_STANDARD"), says=("no NVIDIA driver", "A100")),
    refused("gpu-ami-types", ("NodeGroup", ("amiType",), "AL2_x86_64_GPU"), says="no release since"),
    refused("gpu-ami-types", ("NodeGroup", ("amiType",), "AL2023_ARM_64_NVIDIA"), says="amd64"),
    refused("gpu-ami-types", ("NodeGroup", ("instanceTypes",), ["m7i.2xlarge"]), says="m7i.2xlarge has none"),
    passing("gpu-ami-types", ("NodeGroup", ("instanceTypes",), ["p99.48xlarge"])),
    passing("gpu-ami-types", ("NodeGroup", ("amiType",), "CUSTOM")),
    passing(
        "gpu-ami-types",
        ("NodeGroup", ("amiType",), "AL2023_x86_64_STANDARD"),
        ("NodeGroup", ("instanceTypes",), ["m7i.2xlarge"]),
    ),
    unknown("gpu-ami-types", "NodeGroup", "amiType"),
    # nodes-hardened
    refused("nodes-hardened", ("LaunchTemplate", ("metadataOptions", "httpTokens"), "optional"), says="httpTokens"),
    refused("nodes-hardened", ("LaunchTemplate", ("metadataOptions", "httpPutResponseHopLimit"), 2), says="is 2"),
    refused(
        "nodes-hardened",
        ("LaunchTemplate", ("metadataOptions", "httpPutResponseHopLimit"), REMOVE),
        says="is not given",
    ),
    refused(
        "nodes-hardened",
        ("LaunchTemplate", ("blockDeviceMappings", 0, "ebs", "encrypted"), REMOVE),
        says=("encrypted must be true", "/dev/xvda"),
    ),
    refused("nodes-hardened", ("LaunchTemplate", ("blockDeviceMappings",), []), says="no EBS volume"),
    refused("nodes-hardened", ("NodeGroup", ("launchTemplate",), REMOVE), says="launchTemplate is missing"),
    passing("nodes-hardened", ("LaunchTemplate", ("blockDeviceMappings", 0, "ebs", "encrypted"), True)),
    passing(
        "nodes-hardened",
        ("NodeGroup", ("launchTemplate",), REMOVE),
        ("NodeGroup", ("instanceTypes",), ["m7i.2xlarge"]),
    ),
    unknown("nodes-hardened", "LaunchTemplate", "metadataOptions"),
    unknown("nodes-hardened", "LaunchTemplate", "blockDeviceMappings", 0, "ebs", "encrypted"),
    # gpu-budget
    refused(
        "gpu-budget",
        says=("$20.00/h", "$19.99/h", "NodeGroup 2 x $10.00"),
        config={"maxUsdPerHour": 19.99, "usdPerHour": {"p4de.24xlarge": 10}},
    ),
    refused("gpu-budget", says="NodeGroup 2 x", config={"maxUsdPerHour": 0.01}),
    passing("gpu-budget", config={"maxUsdPerHour": 20, "usdPerHour": {"p4de.24xlarge": 10}}),
    passing("gpu-budget"),
    passing("gpu-budget", ("NodeGroup", ("instanceTypes",), ["p99.48xlarge"]), config={"maxUsdPerHour": 1}),
    passing("gpu-budget", ("NodeGroup", ("scalingConfig", "maxSize"), 0), config={"maxUsdPerHour": 1}),
    Case(
        policy="gpu-budget",
        changes=(("NodeGroup", ("scalingConfig", "maxSize"), UNKNOWN),),
        config={"maxUsdPerHour": 1},
        undecided="maxSize",
    ),
    # node-prices-known
    refused(
        "node-prices-known",
        ("NodeGroup", ("instanceTypes",), ["p99.48xlarge"]),
        says=("no on-demand price of p99.48xlarge in us-east-1", "2 nodes"),
    ),
    refused("node-prices-known", ("NodeGroup", ("provider", "region"), None), says="region"),
    passing(
        "node-prices-known",
        ("NodeGroup", ("instanceTypes",), ["p99.48xlarge"]),
        config={"usdPerHour": {"p99.48xlarge": 99}},
    ),
    passing("node-prices-known", ("NodeGroup", ("provider", "region"), None), config={"region": "us-east-1"}),
    unknown("node-prices-known", "NodeGroup", "instanceTypes", 0, at="instanceTypes[0]"),
]  # fmt: skip
