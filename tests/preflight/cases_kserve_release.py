"""KServe's mode, release, names and what an adopted one must have: KSV018, KSV019, KSV051, KSV052."""

from tests.preflight.case import Case
from tests.preflight.cases_kserve import kserve, second
from tests.preflight.cases_kserve_llm import llm
from tests.preflight.cases_local_models import PLAIN, local


def release(version: str, **keys: object) -> dict[str, object]:
    """The platform section with a release of KServe."""
    return {"platform": {"kserve": {"version": version, **keys}}}


ADOPTED = {"install": False}
DEPLOYMENT = {"workloads": {"chat-predictor": {**second()["workloads"]["more"], "kind": "Deployment"}}}

CASES = [
    Case(
        code="KSV018",
        breaks=kserve({"platform": {"kserve": {"deploymentMode": "Knative"}}}),
        says=("can't run in the deployment mode Knative", "deploymentStrategy"),
        remedy="set platform.kserve.deploymentMode: Standard",
        passes=kserve(),
    ),
    Case(
        code="KSV019",
        breaks=kserve(release("v0.15.2")),
        says=("installs the charts of KServe v0.20.x", "v0.15.2"),
        remedy="set platform.kserve.version: v0.20.0",
        passes=kserve(release("v0.20.1")),
    ),
    Case(
        code="KSV019",
        breaks=kserve(release("v0.15.2", **ADOPTED)),
        says=("doesn't have the deployment mode Standard", "v0.16.0"),
        remedy="upgrade KServe to v0.20.0",
        passes=kserve(release("v0.16.0", **ADOPTED)),
    ),
    Case(
        code="KSV019",
        breaks=llm({"platform": {"kserve": {"version": "v0.16.0", **ADOPTED}}}),
        says=("LLMInferenceService v1alpha2", "v0.17.0"),
        passes=llm({"platform": {"kserve": {"version": "v0.17.0", **ADOPTED}}}),
    ),
    Case(
        code="KSV051",
        breaks=kserve(DEPLOYMENT),
        says=("chat-predictor", "the InferenceService chat"),
        remedy="give the Deployment another name",
        passes=kserve(second()),
    ),
    Case(
        code="KSV052",
        breaks=local({"platform": {"kserve": ADOPTED}}),
        says=("kserve-localmodel-jobs", "localModelDownloadJob"),
        remedy="kubectl get namespace kserve-localmodel-jobs",
        passes=local({"platform": {"kserve": ADOPTED}, **PLAIN}),
    ),
]
