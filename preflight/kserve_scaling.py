"""KSV014, KSV016: who scales InferenceServices, and by what."""

import re
from collections.abc import Iterator

from catalog.vllm_details import GONE, metric
from components.engines.vllm_engine import VllmEngine
from preflight.engine_vllm_names import known_details
from preflight.kserve import mode, services
from preflight.rule import Facts, Finding, Path, Remedy, Rule, workload_path

_METRIC = re.compile(r"vllm:[A-Za-z0-9_]+")


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


def _metrics(facts: Facts) -> Iterator[Finding]:
    for workload, settings in services(facts):
        engine, scaling = workload.engine, settings.autoscaling
        if not isinstance(engine, VllmEngine) or scaling is None or scaling.prometheus is None:
            continue
        known, query = known_details(facts, workload), scaling.prometheus.query
        if known is None:
            continue
        path = workload_path(workload, "autoscaling", "prometheus", "query")
        for name in dict.fromkeys(_METRIC.findall(query)):
            current = metric(known, name)
            if current == name:
                continue
            if current:
                corrected = re.sub(rf"{name}\b", current, query)
                remedy = Remedy(text=f"use {current}", changes=((path, corrected),))
            elif name.removesuffix("_total") in GONE:
                remedy = Remedy(text="use vllm:num_requests_waiting: nothing is swapped any more")
            else:
                remedy = Remedy(text="use one that the pods list at /metrics, for example vllm:num_requests_waiting")
            yield Finding(
                path=path,
                message=f"vLLM {engine.release} has no metric {name}: the query is empty, and {workload.name} is never scaled up",
                remedies=(remedy,),
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
    Rule(
        code="KSV016",
        severity="error",
        title="The query that scales a service names metrics of its engine's version",
        why="Prometheus answers a query for a metric that nobody exports with nothing, which KEDA takes for 0 (ignoreNullValues of its "
        "Prometheus scaler, true by default). Names: in each release's sources, listed in its option table.",
        check=_metrics,
    ),
)
