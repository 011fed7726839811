"""What vLLM checks beyond its parser, by version: keys of JSON options, names of parsers, connectors; and its metrics' names.

Data: the option tables data/{vllm,huggingface}_options_*.json, read from each release by `catalog.read_vllm_wheel` and
`catalog.read_huggingface_server`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from catalog import rows
from catalog.options import Overrides

RENAMED: Mapping[str, str] = {
    "vllm:gpu_cache_usage_perc": "vllm:kv_cache_usage_perc",
    "vllm:time_per_output_token_seconds": "vllm:inter_token_latency_seconds",
    "vllm:gpu_prefix_cache_queries": "vllm:prefix_cache_queries",
    "vllm:gpu_prefix_cache_hits": "vllm:prefix_cache_hits",
}
"""Metrics of earlier releases and their names now (names in the wheels 0.6.0, 0.9.2, 0.11.2 and 0.33.0, read 2026-11-22)."""
GONE = ("vllm:num_requests_swapped", "vllm:cpu_cache_usage_perc")
"""Metrics of earlier releases without a successor: nothing is swapped any more."""

_SERIES = re.compile("_(total|bucket|sum|count)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class VllmDetails:
    """One version."""

    keys: Mapping[str, Mapping[str, tuple[str, ...] | None]]
    """Of each JSON option: its keys, with the values that a key takes; None: not limited to a list."""
    names: Mapping[str, frozenset[str]]
    """Values of options that the parser takes as text: --tool-call-parser, --reasoning-parser, --load-format."""
    connectors: frozenset[str]
    """Values of kv_connector."""
    metrics: frozenset[str]
    """Names in the sources; Prometheus sees counters with `_total` behind the name."""


def details(version: str, overrides: Overrides | None = None, engine: str = "vllm") -> VllmDetails | None:
    """The facts of a version of an engine that runs vLLM, or of the one that an override says it is `like`; None where there are none."""
    row = (overrides or {}).get(version)
    wanted = str(row.get("like", version)) if row else version
    return _details(engine, wanted)


def metric(known: VllmDetails, name: str) -> str | None:
    """The name that a version has for a metric, given by its name in any release and as Prometheus has it: counters may end in
    `_total`, histograms have series that end in `_bucket`, `_sum` and `_count`. None where the version has no such metric.
    """
    plain = _SERIES.sub("", name)
    current = RENAMED.get(plain, plain)
    found = current in known.metrics or f"{current}_total" in known.metrics
    return current + name.removeprefix(plain) if found else None


@cache
def _details(engine: str, version: str) -> VllmDetails | None:
    file = f"{engine}_options_{version}.json"
    if not rows.files(file):
        return None
    data = rows.load(file)
    return VllmDetails(
        keys={
            option: {key: None if values is None else tuple(values) for key, values in keys.items()}
            for option, keys in data["keys"].items()
        },
        names={option: frozenset(names) for option, names in data["names"].items()},
        connectors=frozenset(data["connectors"]),
        metrics=frozenset(data["metrics"]),
    )
