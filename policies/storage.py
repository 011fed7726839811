"""Policies on PersistentVolumeClaims: protected, and not shared by more pods than their access mode allows. Pure."""

from collections.abc import Iterator, Sequence

from policies.objects import Pod, Resource, pods, replicas
from policies.rule import Finding, Rule, Settings, decide

_CLAIM = ("core", "PersistentVolumeClaim")
_REPLICATED = (("apps", "Deployment"), ("apps", "ReplicaSet"), ("apps", "StatefulSet"))
_SINGLE = {"ReadWriteOnce": "one node", "ReadWriteOncePod": "one pod"}


def _protected(resource: Resource, settings: Settings) -> Iterator[Finding]:
    if resource.is_a(_CLAIM) and not resource.protect:
        yield Finding(
            message=f"{resource.name}: the claim isn't protected, and deleting or replacing it deletes the data"
        )


def _single_writers(resources: Sequence[Resource], settings: Settings) -> Iterator[Finding]:
    claims = [one for one in resources if one.is_a(_CLAIM)]
    for resource in resources:
        if resource.is_a(*_REPLICATED):
            for pod in pods(resource):
                yield from decide(_shared(pod, claims), urn=resource.urn)


def _shared(pod: Pod, claims: list[Resource]) -> Iterator[Finding]:
    owner, count = pod.owner, replicas(pod.owner).integer(1)
    if count < 2:
        return
    for volume in pod.spec.at("volumes").each():
        name = volume.at("persistentVolumeClaim", "claimName").text()
        for claim in claims:
            if not name or claim.object_name() != name or claim.namespace() != owner.namespace():
                continue
            modes = [one.text() for one in claim.props.at("spec", "accessModes").each()]
            if modes and all(mode in _SINGLE for mode in modes):
                yield Finding(
                    message=f"{owner.name}: {count} replicas mount the claim {name}, which is {modes[0]}: only the pods of "
                    f"{_SINGLE[modes[0]]} start",
                    urn=owner.urn,
                )


RULES = (
    Rule(
        name="claims-protected",
        level="mandatory",
        severity="high",
        title="Claims are protected against deletion.",
        why="Most StorageClasses delete the volume with its claim "
        "(https://kubernetes.io/docs/concepts/storage/persistent-volumes/#reclaiming).",
        remedy="Create the claim with pulumi.ResourceOptions(protect=True).",
        namespaced=True,
        check=_protected,
    ),
    Rule(
        name="single-writer-claims",
        level="advisory",
        severity="medium",
        codes=("VOL001", "VOL002"),
        title="Replicas share only claims that several nodes can mount.",
        why='The second node\'s pods stay in ContainerCreating: "Multi-Attach error for volume" '
        "(https://kubernetes.io/docs/concepts/storage/persistent-volumes/#access-modes). Advisory, since all replicas may "
        "be bound to one node.",
        remedy="Use storage with ReadWriteMany or ReadOnlyMany, or run one replica.",
        namespaced=True,
        check_stack=_single_writers,
    ),
)
