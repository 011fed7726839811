"""The `catalog` section as rows that the catalogue's readers take. Pure."""

from dataclasses import replace
from typing import Any

from catalog.models import Architecture, from_row, models
from components.spec import MIB, to_bytes, to_millis
from stacks.config import Catalog


def gpu_rows(catalog: Catalog) -> dict[str, dict[str, Any]]:
    """GPU rows, compute capability as a pair of numbers."""
    rows = {}
    for name, spec in catalog.gpus.items():
        row = spec.model_dump(exclude_none=True)
        if spec.compute_capability:
            major, minor = spec.compute_capability.split(".")
            row["compute_capability"] = (int(major), int(minor))
        rows[name] = row
    return rows


def instance_rows(catalog: Catalog) -> dict[str, dict[str, Any]]:
    """Instance type rows, allocatable amounts as numbers."""
    rows = {}
    for name, spec in catalog.instance_types.items():
        row = spec.model_dump(exclude_none=True, exclude={"allocatable_cpu", "allocatable_memory"})
        if spec.allocatable_cpu:
            row["allocatable_cpu_millis"] = to_millis(spec.allocatable_cpu)
        if spec.allocatable_memory:
            row["allocatable_memory_mib"] = to_bytes(spec.allocatable_memory) // MIB
        rows[name] = row
    return rows


def price_rows(catalog: Catalog) -> dict[str, dict[str, Any]]:
    """Prices by instance type and capacity."""
    return {
        name: spec.model_dump(exclude_none=True) | {"source": "catalog.prices in the stack file"}
        for name, spec in catalog.prices.items()
    }


def model_rows(catalog: Catalog) -> dict[str, Architecture]:
    """Architectures: a row of the built-in table with changes, or a whole new one.

    Raises ValueError that names the missing field of a new row.
    """
    known = models()
    rows = {}
    for name, spec in catalog.models.items():
        row = spec.model_dump(exclude_none=True)
        rows[name] = replace(known[name], **row) if name in known else from_row({"name": name, "hf_id": name, **row})
    return rows


def option_rows(catalog: Catalog) -> dict[str, dict[str, dict[str, Any]]]:
    """Option tables of more engine versions, by engine."""
    return {
        engine: {version: spec.model_dump() for version, spec in releases.items()}
        for engine, releases in catalog.engine_versions.items()
    }
