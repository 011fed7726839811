"""All rules, by family. A new family is one module and one line here."""

from preflight import (
    cost,
    efa,
    engine,
    kserve,
    kserve_storage,
    leader_worker_set,
    memory,
    multi_node,
    multi_node_needed,
    parallelism,
    placement,
    placement_capacity,
    placement_devices,
    placement_hardware,
    ray,
    rollout,
    security,
    security_exposure,
    startup,
    storage,
    storage_zones,
    versions,
)
from preflight.rule import Rule

RULES: tuple[Rule, ...] = tuple(
    sorted(
        (
            *memory.RULES,
            *parallelism.RULES,
            *efa.RULES,
            *engine.RULES,
            *kserve.RULES,
            *kserve_storage.RULES,
            *leader_worker_set.RULES,
            *multi_node.RULES,
            *multi_node_needed.RULES,
            *placement.RULES,
            *placement_capacity.RULES,
            *placement_devices.RULES,
            *placement_hardware.RULES,
            *ray.RULES,
            *storage.RULES,
            *storage_zones.RULES,
            *rollout.RULES,
            *startup.RULES,
            *security.RULES,
            *security_exposure.RULES,
            *cost.RULES,
            *versions.RULES,
        ),
        key=lambda rule: rule.code,
    )
)
