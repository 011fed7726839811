"""Ray releases with vLLM: which vLLM each image has, and Ray's names of GPUs. Sources, row by row: data/ray_llm.json."""

from dataclasses import dataclass
from functools import cache

from catalog import rows

_FILE = "ray_llm.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class RayRelease:
    """A release of Ray and the image that has vLLM."""

    version: str
    vllm: str
    """The only vLLM release that this release of Ray Serve LLM is made for."""
    python: str
    cuda: str
    """CUDA of the image."""
    image: str
    """Repository and tag."""
    tag_seen: bool
    """Somebody was seen using the tag; if not, it only follows the names of the neighbouring releases."""


@cache
def releases() -> dict[str, RayRelease]:
    """Every known release by version, oldest first."""
    file = rows.load(_FILE)
    return {
        version: RayRelease(
            version=version,
            vllm=row["vllm"],
            python=row["python"],
            cuda=row["cuda"],
            image=f"{file['image']}:{row['tag']}",
            tag_seen=row["tag_seen"],
        )
        for version, row in file["rows"].items()
    }


def accelerator_type(gpu: str | None) -> str | None:
    """Ray's name of a GPU of the catalogue, which Ray finds on a node by itself; None where Ray has no name for it."""
    return rows.load(_FILE)["accelerators"].get(gpu)


def not_engine_arguments() -> frozenset[str]:
    """Options of `vllm serve` that Ray Serve LLM refuses, with underscores."""
    return frozenset(rows.load(_FILE)["not_engine_arguments"])


def http_server_options() -> frozenset[str]:
    """Options of `vllm serve` for its HTTP server, which doesn't run under Ray Serve, with underscores."""
    return frozenset(rows.load(_FILE)["http_server_options"])
