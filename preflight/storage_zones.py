"""VOL: volumes of one availability zone against the zones of the nodes."""

from collections.abc import Iterator

from components.infrastructure import NodeGroup, Volume
from components.resolved import Workload
from preflight.rule import Facts, Finding, Path, Remedy, Rule
from preflight.storage import zonal


def _zone(facts: Facts) -> Iterator[Finding]:
    for volume, group in _mounted(facts):
        if volume.zone is None or group.zones is None or volume.zone in group.zones:
            continue
        path: Path = ("volumes", volume.name, "zone")
        listed = ", ".join(group.zones)
        if zonal(volume):
            yield Finding(
                path=path,
                message=(
                    f"volume {volume.name} is in {volume.zone}, and the nodes of {group.name} are in {listed}: no "
                    "pod can attach it"
                ),
                remedies=_same_zone(path, group),
            )
        else:
            yield Finding(
                path=path,
                message=(
                    f"the file system of volume {volume.name} is in {volume.zone}, and the nodes of {group.name} "
                    f"are in {listed}: it can be mounted, "
                    "but every read crosses zones, slower and billed"
                ),
                remedies=(Remedy(text="put the file system into a subnet of the nodes' zone"),),
                severity="warning",
            )


def _same_zone(path: Path, group: NodeGroup) -> tuple[Remedy, ...]:
    zone = (group.zones or ("",))[0]
    return (Remedy(text=f"set {'.'.join(map(str, path))}: {zone}", changes=((path, zone),)),)


def _several(facts: Facts) -> Iterator[Finding]:
    for volume, group in _mounted(facts):
        if not zonal(volume) or group.max_nodes == 1 or not _may_differ(group):
            continue
        if volume.zone and group.zones and volume.zone not in group.zones:
            continue  # VOL004
        zone = f"in {volume.zone}" if volume.zone else "in the zone of its first pod"
        if group.zones:
            where = f"may start in {', '.join(group.zones)}"
        elif group.eks:
            where = f"may start in any of {len(group.eks.subnet_ids)} subnets, whose zones the stack file doesn't say"
        else:
            where = "are in zones that the stack file doesn't say"
        yield Finding(
            path=("nodeGroups", group.name, "zones"),
            message=(
                f"{volume.storage} volume {volume.name} is {zone}, and nodes of {group.name} {where}: in another "
                "zone the pod stays Pending"
                " (volume node affinity conflict)"
            ),
            remedies=(Remedy(text=_advice(volume, group)),),
        )


def _advice(volume: Volume, group: NodeGroup) -> str:
    if group.eks and group.zones is None:
        return f"give {group.name} subnets of one zone and name it in nodeGroups.{group.name}.zones"
    return f"keep {group.name} in one zone, or use storage that all zones can mount (efs)"


def _may_differ(group: NodeGroup) -> bool:
    if group.zones is not None:
        return len(group.zones) > 1
    # A subnet lies in one zone: https://docs.aws.amazon.com/vpc/latest/userguide/configure-subnets.html
    return group.eks is None or len(group.eks.subnet_ids) > 1


def _mounted(facts: Facts) -> list[tuple[Volume, NodeGroup]]:
    """Each volume once with each node group whose pods mount it."""
    found: dict[tuple[str, str], Workload] = {}
    for one in facts.workloads:
        if one.volume is not None and one.replicas:
            found.setdefault((one.volume.name, one.node_group.name), one)
    return [(one.volume, one.node_group) for one in found.values() if one.volume is not None]


_AFFINITY = "https://kubernetes.io/docs/concepts/storage/storage-classes/#volume-binding-mode"

RULES = (
    Rule(
        code="VOL004",
        severity="error",
        title="A volume and the nodes that attach it are in the same zone",
        why=f'The pod stays Pending: "node(s) had volume node affinity conflict" ({_AFFINITY}). FSx is mounted over '
        "the network, also from other "
        "zones (https://docs.aws.amazon.com/fsx/latest/LustreGuide/mounting-on-premises.html), so there it is a "
        "warning.",
        check=_zone,
    ),
    Rule(
        code="VOL005",
        severity="warning",
        title="Nodes that attach a volume of one zone start in that zone only",
        why=(
            f"An EBS disk stays in the zone where it was made ({_AFFINITY}); a node that starts in another one is "
            "of no use to its pods."
        ),
        check=_several,
    ),
)
