"""ENG080-ENG088: what SGLang refuses, and what it takes."""

from typing import Any

from tests.preflight.case import COMMIT, Case
from tests.preflight.cases_memory import SMALL, model, nodes

AWQ, GPTQ = "casperhansen/llama-3-70b-instruct-awq", "Qwen/Qwen2.5-7B-Instruct-GPTQ-Int4"
MOE = {"models": model("Qwen/Qwen3-30B-A3B")}
ADAPTER = {"sql": {"id": "nobody/sql-adapter", "revision": COMMIT, "architecture": "Llama-3.1-8B-Instruct"}}


def serves(**options: Any) -> dict[str, Any]:
    """The workload with SGLang."""
    plain = {"name": "sglang", "version": "0.5.23", "maxModelLen": None}
    return {"chat": {"engine": {**plain, **options}}}


CASES = [
    Case(
        code="ENG080",
        breaks={"workloads": serves(tpSize=4, attnDpSize=3)},
        says=("attnDpSize 3", "tpSize 4"),
        remedy="set attnDpSize: 4",
        passes={"workloads": serves(tpSize=4, attnDpSize=2)},
    ),
    Case(
        code="ENG080",
        breaks={"workloads": serves(tpSize=2, attnDpSize=2, dpSize=2)},
        says=("attnDpSize 2 and dpSize 2",),
        remedy="remove attnDpSize",
        passes={"workloads": serves(tpSize=2, dpSize=2)},
    ),
    Case(
        code="ENG081",
        breaks={"workloads": serves(tpSize=4, epSize=3), **MOE},
        says=("epSize 3", "tpSize 4"),
        remedy="set epSize: 4",
        passes={"workloads": serves(tpSize=4, epSize=2), **MOE},
    ),
    Case(
        code="ENG082",
        breaks={"workloads": serves(ppSize=2, speculativeAlgorithm="NGRAM", speculativeNumDraftTokens=4)},
        says=("NGRAM", "ppSize 2"),
        remedy="remove speculativeAlgorithm",
        passes={"workloads": serves(tpSize=2, speculativeAlgorithm="NGRAM", speculativeNumDraftTokens=4)},
    ),
    Case(
        code="ENG083",
        breaks={
            "workloads": serves(quantization="fp8"),
            "nodeGroups": nodes("g4dn.xlarge"),
            "models": model(SMALL),
        },
        says=("fp8", "8.0", "T4", "7.5"),
        remedy="remove quantization",
        passes={"workloads": serves(quantization="fp8"), "nodeGroups": nodes("g5.xlarge"), "models": model(SMALL)},
    ),
    Case(
        code="ENG084",
        breaks={"workloads": serves(contextLength=200000)},
        says=("200,000", "131,072"),
        remedy="set contextLength: 131072",
        passes={
            "workloads": {
                "chat": {
                    **serves(contextLength=200000)["chat"],
                    "env": {"SGLANG_ALLOW_OVERWRITE_LONGER_CONTEXT_LEN": "1"},
                }
            }
        },
    ),
    Case(
        code="ENG085",
        breaks={"workloads": serves(speculativeAlgorithm="EAGLE3")},
        says=("EAGLE3 needs weights of its own",),
        passes={"workloads": serves(speculativeAlgorithm="NGRAM")},
    ),
    Case(
        code="ENG085",
        breaks={"workloads": serves(speculativeAlgorithm="NEXTN", speculativeEagleTopk=4)},
        says=("speculativeEagleTopk without speculativeNumSteps",),
        remedy="remove speculativeEagleTopk",
        passes={"workloads": serves(speculativeAlgorithm="NEXTN", speculativeEagleTopk=4, speculativeNumSteps=3)},
    ),
    Case(
        code="ENG085",
        breaks={"workloads": serves(speculativeAlgorithm="MEDUSA")},
        says=("MEDUSA", "EAGLE3"),
        remedy="set speculativeAlgorithm: NGRAM",
        passes={"workloads": serves(speculativeAlgorithm="MEDUSA", image="registry.internal/sglang-with-plugins")},
    ),
    Case(
        code="ENG083",
        breaks={"models": model(GPTQ), "nodeGroups": nodes("g4dn.xlarge"), "workloads": serves()},
        says=("gptq", "8.0", "T4"),
        passes={"models": model(GPTQ), "nodeGroups": nodes("g5.xlarge"), "workloads": serves()},
    ),
    Case(
        code="ENG088",
        breaks={"workloads": serves(quantization="awq")},
        says=("awq", "isn't quantized"),
        remedy="remove quantization",
        passes={"models": model(AWQ), "workloads": serves(tpSize=4, quantization="awq")},
    ),
    Case(
        code="ENG088",
        breaks={"models": model(AWQ), "workloads": serves(tpSize=4, quantization="fp8")},
        says=("fp8 contradicts", "which is awq"),
        remedy="remove quantization",
        passes={"workloads": serves(quantization="fp8")},
    ),
    Case(
        code="ENG088",
        breaks={"models": model(GPTQ), "workloads": serves(quantization="gptq")},
        says=("gptq_marlin for NVIDIA GPUs",),
        remedy="remove quantization",
        passes={"models": model(GPTQ), "workloads": serves(quantization="gptq_marlin")},
    ),
    Case(
        code="ENG086",
        breaks={"workloads": serves(enableHierarchicalCache=True)},
        says=("hicacheSize",),
        passes={"workloads": serves(enableHierarchicalCache=True, hicacheSize=32)},
    ),
    Case(
        code="ENG087",
        breaks={"workloads": serves(loraPaths=["sql"]), "models": {**ADAPTER, "llama": {"volume": None}}},
        says=("adapter sql without a revision",),
        passes={"workloads": serves(loraPaths=["sql"]), "models": {"sql": {**ADAPTER["sql"], "volume": "weights"}}},
    ),
    Case(
        code="PAR001",
        breaks={"workloads": serves(tpSize=8), "models": model("Qwen/Qwen2.5-7B-Instruct")},
        says=("28 attention heads", "tpSize 8"),
        remedy="set tpSize: 4",
        passes={"workloads": serves(tpSize=8, attnDpSize=8), "models": model("Qwen/Qwen2.5-7B-Instruct")},
    ),
    Case(
        code="PAR003",
        breaks={"workloads": serves(tpSize=8, dpSize=2)},
        says=("16 GPUs",),
        passes={"workloads": serves(tpSize=4, dpSize=2)},
    ),
    Case(
        code="PAR005",
        breaks={"workloads": serves(tpSize=2, epSize=2)},
        says=("epSize has no effect",),
        remedy="remove epSize",
        passes={"workloads": serves(tpSize=2, epSize=2), **MOE},
    ),
    Case(  # each copy has all experts: 768 is split over two GPUs, not over four
        code="PAR006",
        breaks={"workloads": serves(tpSize=3), "models": model(SMALL)},
        passes={"workloads": serves(tpSize=2, dpSize=4), **MOE},
    ),
]
