"""What the operators of the `platform` section have in common."""

from abc import abstractmethod
from typing import Annotated

from pydantic import Field

from components.resolved_operator import Operator
from components.spec import DnsLabel, Spec

ChartVersion = Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+$")]


class OperatorSpec(Spec):
    """A controller that some kinds of workload need."""

    install: bool = True
    """Install its charts; false adopts the installation that the cluster has, which must be of this version."""
    namespace: DnsLabel
    """Namespace of the controller, created by the chart release."""

    @abstractmethod
    def operator(self, name: str) -> Operator:
        """Its charts with their values, in order of installation; none where it isn't installed."""
