"""Ray releases, and Ray's names of GPUs."""

import re

from catalog import rows
from catalog.gpus import gpus
from catalog.options import options, versions
from catalog.ray import accelerator_type, http_server_options, not_engine_arguments, releases

# NVIDIA_GPU_NAME_PATTERN of ray/_private/accelerators/nvidia_gpu.py in ray 2.60.0.
RAYS_PATTERN = re.compile(r"\w+\s+((?:[A-Z]+\s+)*[A-Z0-9]*\d[A-Z0-9]*)")


def test_every_release_names_its_source_and_a_tag_of_its_own_version() -> None:
    for version, row in rows.load("ray_llm.json")["rows"].items():
        assert row["source"]
        assert row["tag"].startswith(f"{version}-py{row['python'].replace('.', '')}-cu{row['cuda'].replace('.', '')}")
    assert all(one.image == f"rayproject/ray-llm:{one.image.rpartition(':')[2]}" for one in releases().values())


def test_the_vllm_of_some_release_has_an_option_table() -> None:
    assert any(one.vllm in versions("vllm") for one in releases().values())


def test_names_of_gpus_are_what_ray_makes_of_the_name_that_the_driver_reports() -> None:
    """GPU feature discovery writes dashes for the blanks of that name."""
    checked = 0
    for gpu in gpus().values():
        name, product = accelerator_type(gpu.name), gpu.gfd_product
        if name is None or product is None:
            continue
        found = RAYS_PATTERN.match(product.replace("-", " "))
        assert found is not None, gpu.name
        assert found[1].replace(" ", "-") == name
        checked += 1
    assert checked > 8
    assert accelerator_type("RTX-4090") is None
    assert accelerator_type(None) is None


def test_what_ray_leaves_out_are_options_of_vllm_serve() -> None:
    (newest, *_) = [one for one in reversed(releases().values()) if one.vllm in versions("vllm")]
    table = options("vllm", newest.vllm)
    assert {f"--{name.replace('_', '-')}" for name in http_server_options() | not_engine_arguments()} <= table.keys()
    assert not http_server_options() & not_engine_arguments()
