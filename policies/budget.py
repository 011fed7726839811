"""Policies on what EKS node groups cost at their largest, by the catalogue's prices. Pure."""

from collections.abc import Iterator, Sequence

from catalog.prices import price
from policies.nodes import NODE_GROUP
from policies.objects import Resource
from policies.rule import Finding, Rule, Settings, decide
from policies.view import UnknownValueRead, View

_CAPACITY = {"": "on-demand", "ON_DEMAND": "on-demand", "SPOT": "spot"}


def _ceiling(resources: Sequence[Resource], settings: Settings) -> Iterator[Finding]:
    most = settings["maxUsdPerHour"]
    if most is None:
        return
    total, parts = 0.0, []
    for resource in _groups(resources):
        try:
            usd, nodes, _ = _cost(resource, settings)
        except UnknownValueRead as unknown:
            yield Finding(undecided=unknown.path, urn=resource.urn)
            continue
        if usd is not None and nodes:
            total += usd * nodes
            parts.append(f"{resource.name} {nodes} x ${usd:,.2f}")
    if total > most:
        yield Finding(
            message=f"at their largest the node groups cost ${total:,.2f}/h, and the ceiling is ${most:,.2f}/h: "
            f"{', '.join(parts)}"
        )


def _prices(resources: Sequence[Resource], settings: Settings) -> Iterator[Finding]:
    for resource in _groups(resources):
        yield from decide(_priced(resource, settings), urn=resource.urn)


def _priced(resource: Resource, settings: Settings) -> Iterator[Finding]:
    usd, nodes, missing = _cost(resource, settings)
    if usd is None and nodes:
        yield Finding(
            message=f"{resource.name}: the price is unknown ({missing}), so gpu-budget leaves its {nodes} nodes out",
            urn=resource.urn,
        )


def _groups(resources: Sequence[Resource]) -> Iterator[Resource]:
    yield from (one for one in resources if one.type == NODE_GROUP)


def _cost(resource: Resource, settings: Settings) -> tuple[float | None, int, str]:
    """Dollars an hour of the dearest instance type (any of them may start), the most nodes, and what isn't known."""
    nodes = resource.props.at("scalingConfig", "maxSize").integer(0)
    names = [one.text() for one in resource.props.at("instanceTypes").each()]
    region = View(resource.region, "provider.region").text() or settings["region"]
    capacity = _CAPACITY.get(resource.props.at("capacityType").text())
    if not names or not region or capacity is None:
        return None, nodes, "instance types, region or capacity aren't in the node group"
    given = settings["usdPerHour"] or {}
    found = {name: given.get(name) or _listed(name, capacity, region) for name in names}
    missing = [name for name, usd in found.items() if usd is None]
    if missing:
        return None, nodes, f"no {capacity} price of {', '.join(missing)} in {region}"
    return max(usd for usd in found.values() if usd is not None), nodes, ""


def _listed(name: str, capacity: str, region: str) -> float | None:
    found = price(name, capacity, region)
    return None if found is None else found.usd_per_hour


_USD_PER_HOUR = {
    "type": "object",
    "additionalProperties": {"type": "number", "exclusiveMinimum": 0},
    "default": {},
    "description": "Prices by instance type in US dollars per hour, before those of the catalogue.",
}
_REGION = {
    "type": "string",
    "description": "AWS region of node groups whose provider names none.",
}

RULES = (
    Rule(
        name="gpu-budget",
        level="mandatory",
        severity="high",
        codes=("COS002",),
        title="The node groups stay below the ceiling.",
        why="A node group that grows to maxSize overnight costs hundreds of dollars an hour. Without maxUsdPerHour there is "
        "no ceiling; groups without a known price are left out, which node-prices-known reports.",
        remedy="Lower scalingConfig.maxSize, use smaller instance types, or raise maxUsdPerHour.",
        settings={
            "maxUsdPerHour": {
                "type": "number",
                "exclusiveMinimum": 0,
                "description": "US dollars per hour that all node groups of the stack may cost at their largest.",
            },
            "usdPerHour": _USD_PER_HOUR,
            "region": _REGION,
        },
        check_stack=_ceiling,
    ),
    Rule(
        name="node-prices-known",
        level="advisory",
        severity="low",
        codes=("COS001",),
        title="The price of every node group is known.",
        why="An unknown price is left out of gpu-budget and never taken for zero.",
        remedy="Give it in usdPerHour.",
        settings={"usdPerHour": _USD_PER_HOUR, "region": _REGION},
        check_stack=_prices,
    ),
)
