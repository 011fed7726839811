"""ENG: all rules of the family."""

from preflight import (
    engine_backends,
    engine_batch,
    engine_dtype,
    engine_environment,
    engine_options,
    engine_ownership,
    engine_quantization,
)

RULES = (
    *engine_options.RULES,
    *engine_ownership.RULES,
    *engine_quantization.RULES,
    *engine_dtype.RULES,
    *engine_batch.RULES,
    *engine_backends.RULES,
    *engine_environment.RULES,
)
