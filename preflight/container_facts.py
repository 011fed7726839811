"""What rules on stack files and policies on objects both say of a container: its image, arguments, variables, callers. Pure."""

import ipaddress
import re
from collections.abc import Iterable, Mapping

MOVING_TAGS = frozenset({"latest", "nightly", "main", "master", "dev", "edge", "stable"})
DEVICE_VARIABLES = ("CUDA_VISIBLE_DEVICES", "NVIDIA_VISIBLE_DEVICES")
"""Set by the device plugin and the engine, never by hand: https://github.com/NVIDIA/nvidia-container-toolkit/issues/27"""
SECRET_OPTIONS: Mapping[str, str | None] = {
    "--api-key": "VLLM_API_KEY",
    "--hf-token": "HF_TOKEN",
    "--admin-api-key": None,
}
"""Options that take a secret, with the variable that takes it instead where there is one (vllm 0.33.0, vllm/envs.py line 829;
--admin-api-key is SGLang's: server_args.py of 0.5.23)."""
_SHORT_COMMIT = re.compile(r"[0-9a-f]{7,40}")


def moving_tag(image: str) -> str | None:
    """The tag of an image that the next pull may answer with another release, or None where it stays.

    A digest stays, and so does `nightly-<commit>`, which is one build. No tag means `latest`.
    """
    name, _, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2] or "latest"
    words = tag.lower().removeprefix("v").split("-")
    if digest or not MOVING_TAGS.intersection(words) or any(_SHORT_COMMIT.fullmatch(word) for word in words):
        return None
    return tag


def option_name(word: str) -> str:
    """An argument's option in the engine's own spelling: `--trust_remote_code=true` is `--trust-remote-code`."""
    return word.split("=", 1)[0].replace("_", "-")


def trusts_remote_code(words: Iterable[str]) -> int | None:
    """Index of the argument that lets code of the model's repository run, or None."""
    for index, word in enumerate(words):
        if option_name(word) == "--trust-remote-code" and word.partition("=")[2].lower() not in ("false", "0"):
            return index
    return None


def network(cidr: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network | None:
    """The range, or None where that isn't one."""
    try:
        return ipaddress.ip_network(cidr, strict=False)
    except ValueError:
        return None


def is_everybody(cidr: str) -> bool:
    """Whether the range is every address: 0.0.0.0/0 or ::/0."""
    found = network(cidr)
    return found is not None and found.prefixlen == 0
