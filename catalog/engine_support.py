"""What a vLLM version supports beyond its options: attention backends, quantization methods, environment variables.

Data and sources: data/vllm_support.json.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from catalog import rows
from catalog.options import Overrides

Capability = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class AttentionBackend:
    """One value of --attention-backend."""

    name: str
    nvidia: bool
    """False: for other hardware, or not for decoding."""
    capability: tuple[Capability, Capability] | None
    """Lowest and highest compute capability; None: not known."""
    mla: bool | None
    """For multi-head latent attention; None: belongs to certain models."""
    sparse: bool
    """For the sparse attention of DeepSeek V3.2 style models."""
    kv_cache_dtypes: frozenset[str] | None
    """Values of --kv-cache-dtype; None: not known."""
    head_sizes: frozenset[int] | None
    """None: any."""
    fp8_from: Capability
    """Lowest compute capability with an FP8 KV cache."""

    def runs_on(self, capability: Capability) -> bool:
        """Whether its kernels run on a GPU of this compute capability; true where that isn't known."""
        return self.capability is None or self.capability[0] <= capability <= self.capability[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """One version."""

    version: str
    minimum_capability: Capability
    """Lowest compute capability with code in the official image."""
    attention_backends: Mapping[str, AttentionBackend]
    quantization: Mapping[str, Capability]
    """Lowest compute capability of each method."""
    environment: frozenset[str]
    """Variables beginning with VLLM_ that it reads."""


def support(version: str, overrides: Overrides | None = None) -> Support | None:
    """The facts of a version, or of the version that an override says it is `like`; None where there are none."""
    known = rows.load("vllm_support.json")["versions"]
    row = (overrides or {}).get(version)
    wanted = row.get("like", version) if row else version
    return _support(wanted) if wanted in known else None


def table() -> Mapping[str, object]:
    """The whole file: besides the versions, how checkpoints and flags fit together."""
    return rows.load("vllm_support.json")


def capability(text: str) -> Capability:
    """`8.9` as a pair of numbers."""
    major, minor = text.split(".")
    return int(major), int(minor)


@cache
def _support(version: str) -> Support:
    data = rows.load("vllm_support.json")
    backends = {
        name: _backend(name, row)
        for name, row in data["attention_backends"].items()
        if version in row.get("versions", data["versions"])
    }
    return Support(
        version=version,
        minimum_capability=capability(data["minimum_capability"]),
        attention_backends=backends,
        quantization={name: capability(row["capability"]) for name, row in data["quantization"].items()},
        environment=frozenset(data["environment"]["all"]) | frozenset(data["environment"][version]),
    )


def _backend(name: str, row: Mapping[str, object]) -> AttentionBackend:
    limits, dtypes, heads = row.get("capability"), row.get("kv_cache_dtypes"), row.get("head_sizes")
    assert limits is None or isinstance(limits, Mapping)
    assert dtypes is None or isinstance(dtypes, list)
    assert heads is None or isinstance(heads, list)
    mla = row.get("mla")
    return AttentionBackend(
        name=name,
        nvidia=bool(row.get("nvidia", True)),
        capability=(capability(limits["min"]), capability(limits.get("max", "99.0"))) if limits else None,
        mla=None if mla is None else bool(mla),
        sparse=bool(row.get("sparse")),
        kv_cache_dtypes=None if dtypes is None else frozenset(dtypes),
        head_sizes=None if heads is None else frozenset(heads),
        fp8_from=capability(str(row.get("fp8_from", "0.0"))),
    )
