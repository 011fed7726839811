"""KSV014: who scales InferenceServices."""

from collections.abc import Iterator

from preflight.kserve import mode, services
from preflight.rule import Facts, Finding, Path, Remedy, Rule, workload_path


def _keda(facts: Facts) -> Iterator[Finding]:
    operator = facts.stack.operators.get("kserve")
    if operator is None or operator.settings["keda"] == "true":
        return
    flag: Path = ("platform", "kserve", "keda")
    for workload, settings in services(facts):
        if settings.autoscaling is None or settings.autoscaling.prometheus is None:
            continue
        path = workload_path(workload, "autoscaling", "prometheus")
        if mode(facts) == "Knative":
            yield Finding(
                path=path,
                message="KServe makes no ScaledObject in the deployment mode Knative: Knative scales by concurrency or rps",
                remedies=(Remedy(text="use scaleMetric concurrency with scaleTarget"),),
            )
            continue
        yield Finding(
            path=path,
            message=f"{workload.name} scales by a Prometheus query, which is KEDA's work, and nothing says that the cluster has KEDA",
            remedies=(
                Remedy(
                    text="install KEDA (2.18 or later), restart KServe's controller, then set platform.kserve.keda: true",
                    changes=((flag, True),),
                ),
            ),
        )


RULES = (
    Rule(
        code="KSV014",
        severity="error",
        title="KEDA is there where it scales",
        why="KServe's controller watches ScaledObjects only if their CustomResourceDefinition was there when it started, and creating one "
        "fails without it (kserve 1fb7810 (v0.20.0), pkg/controller/v1beta1/inferenceservice/controller.go and reconcilers/keda; "
        "kserve-deps.env names KEDA 2.18.0; read 2026-11-22).",
        check=_keda,
    ),
)
