"""All rules, by family. A new family is one module and one line here."""

from preflight import engine, memory, parallelism, placement, security, storage
from preflight.rule import Rule

RULES: tuple[Rule, ...] = tuple(
    sorted(
        (*memory.RULES, *parallelism.RULES, *engine.RULES, *placement.RULES, *storage.RULES, *security.RULES),
        key=lambda rule: rule.code,
    )
)
