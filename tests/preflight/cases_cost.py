"""COS: stacks that break each rule, and the nearest ones that don't."""

from typing import Any

from tests.preflight.case import Case
from tests.preflight.cases_kserve import SCALING, kserve


def group(**keys: Any) -> dict[str, Any]:
    return {"nodeGroups": {"gpu": keys}}


WHOLE = {"workloads": {"chat": {"engine": {"tensorParallelSize": 8}}}}

CASES = [
    Case(
        code="COS001",
        breaks=group(capacity="spot"),
        says=("gpu", "no spot price of p5.48xlarge"),
        remedy="catalog.prices.p5.48xlarge.spot",
        passes={**group(capacity="spot"), "catalog": {"prices": {"p5.48xlarge": {"spot": 20.5}}}},
    ),
    Case(
        code="COS001",
        breaks=group(instanceTypes=["p5e.48xlarge"]),
        says=("no on-demand price of p5e.48xlarge",),
        remedy="catalog.prices.p5e.48xlarge.onDemand",
    ),
    # Both pods fit on one node, so a smaller group is the first way out.
    Case(
        code="COS002",
        breaks={"cost": {"maxUsdPerHour": 60.0}},
        says=("$110.08/h", "the ceiling is $60.00/h", "2 x $55.04/h"),
        remedy="set nodeGroups.gpu.maxSize: 1",
        passes={"cost": {"maxUsdPerHour": 111.0}},
    ),
    Case(
        code="COS002",
        breaks={"cost": {"maxUsdPerHour": 60.0}, **WHOLE},
        remedy="set cost.maxUsdPerHour: 111.0",
        passes={"cost": {"maxUsdPerHour": 60.0}, **group(maxSize=1)},
    ),
    Case(code="COS002", breaks={"cost": {"maxUsdPerHour": 60.0}, **group(capacity="spot")}, says=("can't be checked",)),
    Case(code="COS003", breaks={}, says=("6 of 8 GPUs", "on 1 node serve", "2 pods", "$41.28/h"), passes=WHOLE),
    Case(
        code="COS003",
        # Those that its autoscaler may ask for are not idle for good.
        breaks=kserve(replicas=None, autoscaling={**SCALING, "maxReplicas": 6}),
        says=("2 of 8 GPUs",),
        passes=kserve(replicas=None, autoscaling={**SCALING, "maxReplicas": 8}),
    ),
    Case(
        code="COS003",
        breaks={
            **group(minSize=2),
            **WHOLE,
            "workloads": {"chat": {"replicas": 1, "engine": {"tensorParallelSize": 8}}},
        },
        says=("8 of 16 GPUs", "$55.04/h"),
        remedy="set nodeGroups.gpu.minSize: 1",
        passes={**group(minSize=0), "workloads": {"chat": {"replicas": 0}}},
    ),
]
