"""Tests without their control plane are skipped with the reason; where it must be there, that is a failure."""

import os
from pathlib import Path

import pytest

from tests.cluster.binary import Unavailable, binary

REQUIRE = "LLM_SERVING_REQUIRE_CLUSTER"


def control_plane_binary() -> Path:
    """The binary, or a skipped test; a failed one with CI or LLM_SERVING_REQUIRE_CLUSTER set."""
    try:
        return binary()
    except Unavailable as missing:
        if os.environ.get("CI") or os.environ.get(REQUIRE):
            pytest.fail(f"no control plane, and CI or {REQUIRE} is set: {missing}", pytrace=False)
        pytest.skip(f"no control plane: {missing}")
