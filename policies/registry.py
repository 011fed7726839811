"""All policies. A new family is one module and one line here."""

from policies import availability, budget, containers, exposure, gpu, lifecycle, nodes, pod_security, storage
from policies.rule import Rule

RULES: tuple[Rule, ...] = (
    *containers.RULES,
    *pod_security.RULES,
    *gpu.RULES,
    *lifecycle.RULES,
    *availability.RULES,
    *exposure.RULES,
    *storage.RULES,
    *nodes.RULES,
    *budget.RULES,
)
