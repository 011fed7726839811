"""Releases of KServe's Hugging Face runtime and the vLLM in each image. Data and source: data/huggingface_options_<version>.json."""

from catalog import rows


def vllm_release(version: str) -> str:
    """The vLLM release in the image of a KServe release that has an option table."""
    return rows.load(f"huggingface_options_{version}.json")["vllm"]
