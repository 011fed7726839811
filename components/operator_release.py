"""An operator's official charts as Helm releases, CRDs first."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_kubernetes as k8s

from components.resolved_operator import Chart, Operator

# Controllers and their webhooks become ready once small images are pulled; a node that is just joining may need minutes more.
_TIMEOUT_SECONDS = 600


@dataclass(frozen=True, kw_only=True, eq=False)
class OperatorReleaseArgs:
    """Arguments of OperatorRelease."""

    operator: Operator
    """Its charts, in order of installation."""
    after: Sequence[pulumi.Resource] = ()
    """Releases of the operators that it needs."""


class OperatorRelease(pulumi.ComponentResource):
    """One Helm release for each chart of an operator; each waits for the one before, so that CRDs come before controllers.

    A failed first installation is removed, a failed upgrade is rolled back (`atomic`). Charts of CRDs are protected: removing a CRD
    removes every custom resource of its kind.
    """

    version: pulumi.Output[str]
    """Version of the operator."""

    releases: list[pulumi.Resource]
    """The releases, for what must wait for them."""

    def __init__(self, name: str, args: OperatorReleaseArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("llm-serving:index:OperatorRelease", name, None, opts)
        self.releases = []
        for chart in args.operator.charts:
            self.releases.append(self._release(name, chart, self.releases[-1:] or list(args.after)))
        self.version = pulumi.Output.from_input(args.operator.version)
        self.register_outputs({"version": self.version})

    def _release(self, name: str, chart: Chart, after: list[pulumi.Resource]) -> k8s.helm.v3.Release:
        oci = chart.repository.startswith("oci://")
        return k8s.helm.v3.Release(
            name if chart.name == name else f"{name}-{chart.name}",
            name=chart.name,
            chart=f"{chart.repository.rstrip('/')}/{chart.chart}" if oci else chart.chart,
            version=chart.version,
            repository_opts=None if oci else k8s.helm.v3.RepositoryOptsArgs(repo=chart.repository),
            namespace=chart.namespace,
            create_namespace=True,
            atomic=True,
            skip_crds=chart.skip_crds,
            timeout=_TIMEOUT_SECONDS,
            values=dict(chart.values),
            # The release's name is fixed, and so are its cluster roles: the old one has to go first.
            opts=pulumi.ResourceOptions(
                parent=self, depends_on=after, delete_before_replace=True, protect=chart.crds or None
            ),
        )
