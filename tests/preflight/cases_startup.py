"""STA: stacks that break each rule, and the nearest ones that don't."""

from tests.preflight.case import COMMIT, Case

LARGE = {"id": "meta-llama/Llama-3.1-405B-Instruct", "revision": COMMIT}

CASES = [
    # 15 GiB at a measured 50 MiB/s take 306 s before anything is compiled.
    Case(
        code="STA001",
        breaks={
            "volumes": {"weights": {"throughputMiBps": 50}},
            "workloads": {"chat": {"startupTimeoutSeconds": 300}},
        },
        says=("300 s is less", "879 s", "at 50 MiB/s"),
        remedy="set workloads.chat.startupTimeoutSeconds: 879",
        passes={"volumes": {"weights": {"throughputMiBps": 50}}, "workloads": {"chat": {"startupTimeoutSeconds": 900}}},
    ),
    Case(
        code="STA001",
        breaks={"workloads": {"chat": {"startupTimeoutSeconds": 120}}},
        says=("120 s is less", "at 100 MiB/s", "240 s to compile"),
        remedy="startupTimeoutSeconds: ",
    ),
    Case(
        code="STA002",
        breaks={
            "models": {"llama": LARGE},
            "volumes": {"weights": {"size": "2000Gi"}},
            "workloads": {"chat": {"engine": {"tensorParallelSize": 8}}},
        },
        says=("minutes", "100 MiB/s"),
        remedy="throughputMiBps",
        passes={
            "models": {"llama": LARGE},
            "volumes": {"weights": {"size": "2000Gi", "throughputMiBps": 1000}},
            "workloads": {"chat": {"engine": {"tensorParallelSize": 8}}},
        },
    ),
    Case(
        code="STA002",
        breaks={
            "models": {"llama": {"id": "meta-llama/Llama-3.1-70B-Instruct", "volume": None}},
            "workloads": {"chat": {"engine": {"tensorParallelSize": 4}}},
        },
        says=("Hugging Face Hub",),
        remedy="keep the weights on a volume",
    ),
]
