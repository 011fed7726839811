"""The measured start-ups of ../shared/facts/vllm_memory_measured.csv, as inputs of the estimator."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from catalog.architecture import Architecture
from catalog.gpus import Gpu, gpus
from catalog.models import find
from components.engines.vllm_memory import VllmMemoryInputs
from components.engines.vllm_overhead import release

TABLE = Path(__file__).resolve().parents[1] / ".." / "shared" / "facts" / "vllm_memory_measured.csv"

_ALIASES = {"GLM-5.2-NVFP4 (local dir)": "nvidia/GLM-5.2-NVFP4"}
"""Names in the table that say which checkpoint it is without its organisation."""
_GPUS = {"80GB card, 79": "H100-80GB", "A100 (80GB": "A100-80GB", "T4": "T4", "184.31 GiB card": "GB200"}
"""How the table names a GPU that its log shows only by size, beside the names of the catalogue."""
_SKIPPED = {
    "custom build": "custom build of vLLM",
    "CUSTOM BUILD": "custom build of vLLM",
    "unmerged PR build": "custom build of vLLM",
    "FORK image": "fork of vLLM",
    "accounting artefact": "the notes call its figures an accounting artefact",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One start-up. Sizes in GiB per GPU, None where the log doesn't say. `skipped`: why it can't be scored."""

    id: str
    gpu: str
    version: str
    model: str
    family: str
    """What leave-one-model-out leaves out: the architecture, so that quantized variants go with their base."""
    tensor: int
    weights: float | None
    activation: float | None
    non_torch: float | None
    graphs: float | None
    graphs_estimated: float | None
    free_at_start: tuple[float, float] | None
    """Free and total memory before vLLM's first snapshot."""
    kv: float | None
    tokens: int | None
    concurrency: float | None
    outcome: str
    inputs: VllmMemoryInputs | None
    skipped: str | None

    @property
    def nvidia(self) -> bool:
        """Whether the row is of an NVIDIA GPU."""
        return not self.gpu.startswith("MI300")

    @property
    def target(self) -> bool:
        """Whether the accuracy targets count it: NVIDIA, vLLM 0.17 or later."""
        return self.nvidia and bool(self.version) and release(self.version) >= (0, 17)


def rows(path: Path = TABLE) -> list[Row]:
    """Every row of the table, in its order. Raises OSError when the table is absent."""
    with path.open(encoding="utf-8", newline="") as file:
        return list(_read(csv.DictReader(file)))


def _read(table: Iterator[dict[str, str]]) -> Iterator[Row]:
    for line in table:
        arch = find(_ALIASES.get(line["model"], line["model"]))
        gpu = _gpu(line)
        version = match[0] if (match := re.match(r"\d+\.\d+(\.\d+)?", line["vllm_version"])) else ""
        skipped = _reason(line, arch is not None, gpu is not None, version)
        inputs = None
        if not skipped and arch and gpu:
            inputs = VllmMemoryInputs(
                architecture=arch,
                gpu=gpu,
                version=version,
                tensor_parallel_size=int(line["gpu_count_tp"]),
                pipeline_parallel_size=int(line["pp"] or 1),
                enable_expert_parallel="expert parallel" in line["notes"],
                # A blank column is the version's default: 0.9 until 0.19, 0.92 since 0.20.
                gpu_memory_utilization=float(
                    line["gpu_memory_utilization"] or (0.92 if release(version) >= (0, 20) else 0.9)
                ),
                max_model_len=_number(line["max_model_len"]),
                max_num_seqs=_number(line["max_num_seqs"]),
                max_num_batched_tokens=_number(line["max_num_batched_tokens"]),
                kv_cache_dtype=line["kv_cache_dtype"] or "auto",
                dtype=line["dtype"] or "auto",
                enforce_eager=line["enforce_eager"] == "True",
            )
        yield _row(line, version, _family(arch) if arch else line["model"], inputs, skipped)


def _row(line: dict[str, str], version: str, family: str, inputs: VllmMemoryInputs | None, skipped: str | None) -> Row:
    notes = line["notes"]
    total = re.search(r"device total ([\d.]+) GiB; free at start ([\d.]+)", notes)
    estimated = re.search(r"cudagraph estimated ([\d.]+)", notes)
    stated = line["gpu_memory_utilization"] or "util left at default" in notes or "util at default" in notes
    return Row(
        id=line["id"],
        gpu=inputs.gpu.name if inputs else line["gpu"],
        version=version,
        model=line["model"],
        family=family,
        tensor=int(line["gpu_count_tp"] or 1),
        weights=_float(line["weights_gib_per_gpu"]),
        activation=_float(line["activation_gib"]),
        non_torch=_float(line["non_torch_gib"]),
        graphs=_float(line["cudagraph_gib"]),
        graphs_estimated=float(estimated[1]) if estimated else None,
        free_at_start=(float(total[2]), float(total[1])) if total else None,
        kv=_float(line["kv_gib_per_gpu"]) if stated else None,
        tokens=_number(line["kv_tokens"]) if stated and "APPROXIMATE" not in notes else None,
        concurrency=_float(line["max_concurrency"]) if stated else None,
        outcome=line["outcome"],
        inputs=inputs,
        skipped=skipped,
    )


def _family(arch: Architecture) -> str:
    """Models of one shape: quantized variants, fine-tunes and twins such as Granite 3.1 and 3.3 are left out together."""
    experts = f", {arch.num_experts} experts" if arch.num_experts else ""
    return f"{arch.model_type} {arch.hidden_size} x {arch.num_hidden_layers}{experts}"


def _reason(line: dict[str, str], known_model: bool, known_gpu: bool, version: str) -> str | None:
    if line["gpu"].startswith("MI300"):
        return "not an NVIDIA GPU"
    if found := next(
        (reason for text, reason in _SKIPPED.items() if text in line["vllm_version"] + line["notes"]), None
    ):
        return found
    if not version:
        return "vLLM version not stated"
    if release(version) < (0, 9):
        return "vLLM before 0.9 (engine V0)"
    if not known_model:
        return "architecture not in the table: no public config.json found, or a layout that isn't modelled"
    if not known_gpu:
        return f"GPU {line['gpu']} not in the catalogue"
    return None


def _gpu(line: dict[str, str]) -> Gpu | None:
    table = gpus()
    name = next((known for text, known in _GPUS.items() if line["gpu"].startswith(text)), line["gpu"])
    gpu = table.get(name)
    if gpu is None:
        return None
    measured = re.search(r"(?:device total |card, )([\d.]+) GiB", f"{line['gpu']} {line['notes']}")
    return replace(gpu, cuda_total_gib=float(measured[1])) if measured else gpu


def _number(text: str) -> int | None:
    return int(text) if text else None


def _float(text: str) -> float | None:
    return float(text) if text else None
