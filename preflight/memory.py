"""MEM: all rules of the family."""

from preflight import memory_context, memory_fit, memory_limits, memory_sharing

RULES = (*memory_fit.RULES, *memory_limits.RULES, *memory_context.RULES, *memory_sharing.RULES)
