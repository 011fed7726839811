"""Prices of instance types, each with its region, date and source. What is not known is None, never zero."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from catalog import rows

_CAPACITY_FIELDS = {"on-demand": "on_demand", "spot": "spot"}
_OVERRIDE_FIELDS = ("on_demand", "spot", "region", "date", "source")


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What one instance costs while it runs."""

    usd_per_hour: float
    capacity: str
    """`on-demand` or `spot`."""
    region: str
    date: str | None
    """Day of the price, ISO 8601; None: the stack that gave it named none."""
    source: str


def price(
    instance_type: str, capacity: str, region: str, overrides: Mapping[str, Mapping[str, object]] | None = None
) -> Price | None:
    """The price of an instance type in a region, or None when it is not known: never another region's price.

    `overrides` by instance type: `on_demand` and `spot` in USD an hour, optionally `region` (else it holds in every
    region), `date` and `source`. An override goes before the table; None there makes the price unknown.
    Raises ValueError naming the row and the field of an override that is unknown or wrong.
    """
    field = _CAPACITY_FIELDS.get(capacity)
    if field is None:
        return None
    own = _checked(instance_type, (overrides or {}).get(instance_type, {}))
    if field in own and own.get("region", region) == region:
        source, usd, date = own.get("source", "the stack"), own[field], own.get("date")
    else:
        listed = rows.load("prices.json")["rows"].get(region, {})
        source, usd, date = listed.get("source"), listed.get(field, {}).get(instance_type), listed.get("date")
    if usd is None:
        return None
    return Price(usd_per_hour=float(usd), capacity=capacity, region=region, date=date, source=source)


def table_date(region: str) -> str | None:
    """The day of the region's price table, ISO 8601; None when there is no table for the region."""
    return rows.load("prices.json")["rows"].get(region, {}).get("date")


def _checked(name: str, row: object) -> dict[str, Any]:
    if not isinstance(row, Mapping):
        raise ValueError(f"Price {name!r}: is {row!r}; give a mapping of {', '.join(_OVERRIDE_FIELDS)}")
    for field, value in row.items():
        if field not in _OVERRIDE_FIELDS:
            raise ValueError(f"Price {name!r}: {field} is not a field; the fields are {', '.join(_OVERRIDE_FIELDS)}")
        if field in ("on_demand", "spot"):
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if value is not None and not (number and math.isfinite(value) and value > 0):
                raise ValueError(f"Price {name!r}: {field} is {value!r}: use USD an hour above 0, or leave it out")
        elif not isinstance(value, str):
            raise ValueError(f"Price {name!r}: {field} is {value!r}: use text, in quotes")
    return dict(row)
