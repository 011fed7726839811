"""Controllers that some kinds of workload need, resolved: their releases, in order. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One chart of an operator."""

    name: str
    """Name of the Helm release."""
    chart: str
    """Name of the chart in its repository."""
    version: str
    repository: str
    """https:// or oci://."""
    namespace: str
    values: Mapping[str, Any]
    crds: bool = False
    """It brings the CRDs: removing it would remove every custom resource."""
    skip_crds: bool = False
    """Another chart brings the CRDs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """A controller that some kinds of workload need: installed by this stack, or adopted as it is."""

    name: str
    """Its key in the platform section."""
    version: str
    namespace: str = ""
    """Of its pods."""
    charts: tuple[Chart, ...]
    """In order of installation, CRDs first; empty where the cluster has the operator already."""
    needs: tuple[str, ...] = ()
    """Operators that must be there before it, by their keys."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """What workloads need to know of how it is set up."""
