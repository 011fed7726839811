"""Pod Security Standard "restricted" on every pod template. Pure.

Fields and allowed values: https://kubernetes.io/docs/concepts/security/pod-security-standards/ (read 2026-11-22; its
Linux controls of "baseline" and "restricted", without AppArmor, SELinux and procMount, which few pods set). A namespace
with the label pod-security.kubernetes.io/enforce refuses such pods itself, but only when they are created.
"""

from collections.abc import Iterator

from policies.objects import Pod, Resource, pods
from policies.rule import Finding, Rule, Settings, decide
from policies.view import View

_HOST = ("hostNetwork", "hostPID", "hostIPC")
_VOLUMES = frozenset(
    {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
)
_SECCOMP = ("RuntimeDefault", "Localhost")
_MAY_ADD = frozenset({"NET_BIND_SERVICE"})
_SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.ping_group_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
    }
)


def _restricted(resource: Resource, settings: Settings) -> Iterator[Finding]:
    for pod in pods(resource):
        yield from decide(_host(pod), _volumes(pod), _sysctls(pod))
        parts = (_privileges, _capabilities)
        yield from decide(*(part(one) for one in pod.containers() for part in parts))
        both = (_not_root, _seccomp)
        yield from decide(*(part(pod, one) for one in pod.containers() for part in both))


def _host(pod: Pod) -> Iterator[Finding]:
    for key in _HOST:
        if pod.spec.at(key).is_true():
            yield Finding(message=f"{pod.spec.at(key).path} is true: the pod isn't separated from its node")


def _volumes(pod: Pod) -> Iterator[Finding]:
    for volume in pod.spec.at("volumes").each():
        for kind, source in volume.items():
            if kind != "name" and source.exists() and kind not in _VOLUMES:
                yield Finding(message=f"{source.path}: volumes of the type {kind} aren't allowed")


def _sysctls(pod: Pod) -> Iterator[Finding]:
    for sysctl in pod.spec.at("securityContext", "sysctls").each():
        if sysctl.at("name").text() not in _SYSCTLS:
            yield Finding(message=f"{sysctl.path}: sysctl {sysctl.at('name').text()} isn't allowed")


def _privileges(container: View) -> Iterator[Finding]:
    context = container.at("securityContext")
    if context.at("privileged").is_true():
        yield Finding(
            message=f"{context.path}.privileged is true; GPUs need no privilege, the device plugin gives them"
        )
    if context.at("allowPrivilegeEscalation").read() is not False:
        yield Finding(message=f"{context.path}.allowPrivilegeEscalation must be false")
    for port in container.at("ports").each():
        if port.at("hostPort").integer(0):
            yield Finding(message=f"{port.path}.hostPort is set: the container listens on its node")


def _capabilities(container: View) -> Iterator[Finding]:
    capabilities = container.at("securityContext", "capabilities")
    if "ALL" not in [one.text() for one in capabilities.at("drop").each()]:
        yield Finding(message=f"{capabilities.path}.drop must have ALL")
    added = sorted({one.text() for one in capabilities.at("add").each()} - _MAY_ADD)
    if added:
        yield Finding(message=f"{capabilities.path}.add may only have {', '.join(_MAY_ADD)}, not {', '.join(added)}")


def _not_root(pod: Pod, container: View) -> Iterator[Finding]:
    if _effective(pod, container, "runAsNonRoot").read() is not True:
        yield Finding(message=f"{container.path}: runAsNonRoot must be true, in the pod's securityContext or its own")
    user = _effective(pod, container, "runAsUser")
    if user.integer(1) == 0:
        yield Finding(message=f"{user.path} is 0, which is root")


def _seccomp(pod: Pod, container: View) -> Iterator[Finding]:
    kind = _effective(pod, container, "seccompProfile").at("type")
    if kind.text() not in _SECCOMP:
        yield Finding(message=f"{container.path}: seccompProfile.type must be {' or '.join(_SECCOMP)}")


def _effective(pod: Pod, container: View, key: str) -> View:
    """The container's own field, or else the pod's."""
    own = container.at("securityContext", key)
    return own if own.exists() else pod.spec.at("securityContext", key)


RULES = (
    Rule(
        name="pod-security-restricted",
        level="mandatory",
        severity="high",
        title='Pods keep the Pod Security Standard "restricted".',
        why="A model server needs no privilege and runs code that reads untrusted weights and prompts "
        "(https://kubernetes.io/docs/concepts/security/pod-security-standards/).",
        remedy="Set the fields as components/pods.py does; node agents belong in a namespace of their own, which "
        "exemptNamespaces names.",
        namespaced=True,
        check=_restricted,
    ),
)
