"""The model table: parameter counts against published ones, config.json files, overrides, sizes."""

import datetime
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from catalog.architecture import Architecture, LinearAttention, Quantization
from catalog.models import find, from_config_json, from_row, models, weights_bytes
from catalog.parameters import parts, total
from catalog.rows import load

FACTS = Path(__file__).parents[2].parent / "shared" / "facts" / "models.yaml"
GIB = 1024**3
KEPT = ("embedding", "lm_head", "router", "norm", "vision", "other")

PUBLISHED = {
    # Billions of parameters on the model cards.
    "Llama-3.1-8B-Instruct": 8.03, "Llama-3.3-70B-Instruct": 70.6, "Llama-3.1-405B-Instruct": 406, "phi-2": 2.78,
    "Mixtral-8x7B-Instruct-v0.1": 46.7, "Mixtral-8x22B-Instruct-v0.1": 140.6, "Qwen2.5-7B-Instruct": 7.62,
    "Qwen3-30B-A3B": 30.5, "Qwen3-235B-A22B": 235, "Qwen3-VL-8B-Instruct": 8.77, "Qwen3-Next-80B-A3B-Instruct": 80,
    "Llama-4-Scout-17B-16E-Instruct": 108.6, "Llama-4-Maverick-17B-128E-Instruct": 401.6, "gpt-oss-20b": 20.9,
    "gpt-oss-120b": 116.8, "DeepSeek-V3": 671, "DeepSeek-V2-Lite-Chat": 15.7, "Kimi-K2-Instruct": 1026,
    "MiniMax-M2.5": 229, "NVIDIA-Nemotron-3-Nano-30B-A3B-BF16": 31.6, "Gemma-2-27b-it": 27.2, "Gemma-3-27b-it": 27.4,
    "granite-3.1-8b-instruct": 8.17, "Moonlight-16B-A3B-Instruct": 16.0, "Qwen1.5-MoE-A2.7B": 14.3,
    "Mistral-Small-3.2-24B-Instruct-2506": 24.0, "Ministral-3-14B-Instruct-2512-BF16": 13.9,
}  # fmt: skip


def config(**changes: Any) -> dict[str, Any]:
    """A Llama-3.1-8B config.json with changed keys."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 128256,
        "max_position_embeddings": 131072,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        **changes,
    }


@pytest.mark.parametrize(("name", "billions"), PUBLISHED.items())
def test_the_parameters_computed_from_a_shape_match_the_published_count(name: str, billions: float) -> None:
    assert models()[name].params / 1e9 == pytest.approx(billions, rel=0.006)


def test_the_table_has_at_least_35_shapes_and_every_row_names_its_source_and_date() -> None:
    rows = load("models.json")["models"]
    assert len([row for row in rows if "base" not in row]) >= 35
    for row in rows:
        assert row["source"], row["name"]
        assert row["confidence"], row["name"]
        assert datetime.date.fromisoformat(row["date"]) <= datetime.date.today(), row["name"]


def test_names_and_hugging_face_ids_are_unique() -> None:
    rows = load("models.json")["models"]
    assert len({row["name"] for row in rows}) == len(rows)
    assert len({row["hf_id"].casefold() for row in rows}) == len(rows)


def test_a_row_with_a_base_has_the_shape_of_the_base() -> None:
    for arch in models().values():
        if arch.base and "vision" not in (arch.source or ""):
            base = models()[arch.base]
            assert (arch.hidden_size, arch.num_hidden_layers, arch.vocab_size) == (
                base.hidden_size,
                base.num_hidden_layers,
                base.vocab_size,
            )


def test_every_row_of_the_collected_facts_is_in_the_table_with_its_shape() -> None:
    if not FACTS.is_file():
        pytest.skip("the collected facts (../shared/facts/models.yaml) are absent")
    facts = yaml.safe_load(FACTS.read_text(encoding="utf-8"))["models"]
    for name, fact in facts.items():
        arch = find(fact["hf_id"])
        assert arch is not None, name
        fields = (
            "hidden_size",
            "num_hidden_layers",
            "num_attention_heads",
            "vocab_size",
            "kv_lora_rank",
            "sliding_window",
        )
        for field in fields:
            if field in fact:
                assert getattr(arch, field) == fact[field], f"{name}: {field}"


def test_a_repository_is_found_without_regard_to_case() -> None:
    assert find("casperhansen/Llama-3-70B-Instruct-AWQ") is find("casperhansen/llama-3-70b-instruct-awq")
    assert find("nobody/nothing") is None


def test_the_parts_of_a_dense_model_are_its_matrices() -> None:
    assert parts(models()["Llama-3.1-8B-Instruct"]) == {
        "embedding": 128256 * 4096,
        "lm_head": 128256 * 4096,
        "attention": 32 * 4096 * 128 * (32 + 2 * 8),
        "attention_output": 32 * 4096 * 128 * 32,
        "attention_replicated": 0,
        "linear_attention": 0,
        "mlp": 32 * 3 * 4096 * 14336,
        "experts": 0,
        "shared_experts": 0,
        "router": 0,
        "norm": 65 * 4096,
        "vision": 0,
        "other": 0,
    }


def test_the_parts_of_deepseek_v3_are_latent_attention_and_experts() -> None:
    got = parts(models()["DeepSeek-V3"])
    assert got["attention"] == 61 * (1536 * 128 * 192 + 512 * 128 * 256)
    assert got["attention_output"] == 61 * 128 * 128 * 7168
    assert got["attention_replicated"] == 61 * 7168 * (512 + 64 + 1536)
    assert got["experts"] == 58 * 256 * 3 * 7168 * 2048
    assert got["shared_experts"] == 58 * 3 * 7168 * 2048
    assert got["mlp"] == 3 * 3 * 7168 * 18432


def test_sizes_on_disk_follow_the_quantization() -> None:
    llama = models()["Llama-3-70B-Instruct"]
    awq = find("casperhansen/llama-3-70b-instruct-awq")
    assert awq is not None
    assert awq.quantization == Quantization(method="awq", bits=4, group_size=128, zero_points=True, unquantized=KEPT)
    assert awq.quantization.bits_per_weight == 4 + 20 / 128
    assert weights_bytes(llama) / 1e9 == pytest.approx(141.1, rel=0.002)
    assert weights_bytes(awq) / 1e9 == pytest.approx(39.8, rel=0.01)  # the repository's files: 39.8 GB
    assert weights_bytes(llama, dtype="float32") == 2 * weights_bytes(llama)
    assert weights_bytes(replace(llama, weights_bytes=5)) == 5


def test_an_unknown_dtype_is_refused_with_the_allowed_ones() -> None:
    with pytest.raises(ValueError, match="dtype 'int4' isn't known: use one of bfloat16, float16, float32"):
        weights_bytes(models()["phi-4"], dtype="int4")


def test_a_config_json_gives_the_row_of_the_table() -> None:
    got = from_config_json(config(), name="meta-llama/Llama-3.1-8B-Instruct")
    row = models()["Llama-3.1-8B-Instruct"]
    assert replace(got, source=None) == replace(
        row, name=row.hf_id, gated=None, source=None, date=None, confidence=None
    )


@pytest.mark.parametrize(
    "key", ["hidden_size", "num_hidden_layers", "num_attention_heads", "vocab_size", "max_position_embeddings"]
)
@pytest.mark.parametrize("value", [None, 0, "many", True])
def test_a_missing_or_wrong_key_of_config_json_is_named(key: str, value: object) -> None:
    with pytest.raises(
        ValueError, match=f"config.json of acme/model: {key} (is missing|is .*); a positive whole number"
    ):
        from_config_json(config(**{key: value}), name="acme/model")


def test_a_multimodal_config_is_read_through_its_text_config() -> None:
    vision: dict[str, Any] = {
        "depth": 27,
        "hidden_size": 1152,
        "intermediate_size": 4304,
        "patch_size": 16,
        "temporal_patch_size": 2,
    }
    vision |= {"spatial_merge_size": 2, "out_hidden_size": 4096, "deepstack_visual_indexes": [8, 16, 24]}
    got = from_config_json({"text_config": config(), "vision_config": vision, "dtype": "bfloat16"}, name="a/b")
    assert got.hidden_size == 4096
    assert got.vision_params == pytest.approx(0.576e9, rel=0.01)  # Qwen3-VL-8B: 8.77e9 less the language model's 8.19e9
    assert got.params == total(got)


def test_the_rest_of_the_published_parameters_is_kept() -> None:
    plain = from_config_json(config(), name="a/b")
    assert from_config_json(config(), name="a/b", params=plain.params + 7).other_params == 7
    tower = {"text_config": config(), "vision_config": {"model_type": "unknown"}}
    assert from_config_json(tower, name="a/b", params=plain.params + 7).vision_params == 7


def test_experts_sliding_windows_and_states_are_read() -> None:
    moe = from_config_json(
        config(model_type="qwen3_moe", num_experts=128, num_experts_per_tok=8, moe_intermediate_size=768), name="a/b"
    )
    assert (moe.expert_layers, moe.intermediate_size, moe.num_experts) == (32, None, 128)
    scout = from_config_json(
        config(
            model_type="llama4_text", num_local_experts=16, num_experts_per_tok=1, intermediate_size_mlp=16384,
            attention_chunk_size=8192, interleave_moe_layer_step=2,
        ),
        name="a/b",
    )  # fmt: skip
    assert (scout.expert_layers, scout.intermediate_size, scout.shared_expert_intermediate_size) == (16, 16384, 14336)
    assert (scout.sliding_window, scout.sliding_layers, scout.sliding_chunked) == (8192, 24, True)
    gemma = from_config_json(
        config(model_type="gemma3_text", sliding_window=1024, sliding_window_pattern=6, head_dim=256), name="a/b"
    )
    assert (gemma.sliding_window, gemma.sliding_layers, gemma.head_dim) == (1024, 27, 256)
    off = from_config_json(config(model_type="qwen2", sliding_window=4096, use_sliding_window=False), name="a/b")
    assert off.sliding_layers == 0
    hybrid = from_config_json(
        config(
            model_type="qwen3_next", full_attention_interval=4, linear_num_key_heads=16, linear_key_head_dim=128,
            linear_num_value_heads=32, linear_value_head_dim=128, linear_conv_kernel_dim=4,
        ),
        name="a/b",
    )  # fmt: skip
    assert hybrid.linear_attention == LinearAttention(
        kind="gated_delta_net", layers=24, key_heads=16, key_dim=128, value_heads=32, value_dim=128, conv_kernel=4
    )
    assert hybrid.kv_layers == 8


def test_a_nemotron_h_config_is_read_by_its_pattern() -> None:
    got = from_config_json(
        config(
            model_type="nemotron_h", hidden_size=2688, num_hidden_layers=52, num_attention_heads=32, head_dim=128,
            num_key_value_heads=2, intermediate_size=1856, vocab_size=131072, n_routed_experts=128,
            num_experts_per_tok=6, n_shared_experts=1, moe_intermediate_size=1856,
            moe_shared_expert_intermediate_size=3712, mamba_num_heads=64, mamba_head_dim=64, n_groups=8,
            ssm_state_size=128, conv_kernel=4, mamba_ssm_cache_dtype="float32",
            hybrid_override_pattern="MEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEM*EMEMEMEM*EMEMEMEME",
        ),
        name="a/b",
    )  # fmt: skip
    assert (got.kv_layers, got.expert_layers, got.feed_forward_layers, got.mlp_matrices) == (6, 23, 23, 2)
    assert got.params == models()["NVIDIA-Nemotron-3-Nano-30B-A3B-BF16"].params


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("compress_ratios", [4, 128]),
        ("linear_attn_config", {"a": 1}),
        ("block_configs", [1]),
        ("moe_latent_size", 1024),
    ],
)
def test_a_layout_that_is_not_modelled_is_refused(key: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"config.json of a/b: {key} means"):
        from_config_json(config(**{key: value}), name="a/b")


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (
            {"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True},
            Quantization(method="awq", bits=4, group_size=128, zero_points=True, unquantized=KEPT),
        ),
        (
            {"quant_method": "gptq", "bits": 8, "group_size": -1, "sym": True},
            Quantization(method="gptq", bits=8, unquantized=KEPT),
        ),
        (
            {"quant_method": "fp8", "weight_block_size": [128, 128]},
            Quantization(method="fp8", bits=8, group_size=128, block=True, scale_bits=32, unquantized=KEPT),
        ),
        (
            {"quant_method": "modelopt", "quant_algo": "NVFP4", "ignore": ["lm_head", "model.layers.0.self_attn*"]},
            Quantization(
                method="modelopt", bits=4, group_size=16, scale_bits=8, unquantized=KEPT,
                unquantized_share=(
                    ("attention", 1 / 32), ("attention_output", 1 / 32), ("attention_replicated", 1 / 32),
                ),
            ),
        ),
        (
            {
                "quant_method": "compressed-tensors",
                "ignore": ["lm_head", "re:.*self_attn.*", "re:.*mlp.gate$"],
                "config_groups": {"group_0": {"weights": {"num_bits": 4, "group_size": 32, "symmetric": True}}},
            },
            Quantization(
                method="compressed-tensors", bits=4, group_size=32,
                unquantized=(*KEPT, "attention", "attention_output", "attention_replicated"),
            ),
        ),
    ],
)  # fmt: skip
def test_a_quantization_config_is_read(given: dict[str, Any], wanted: Quantization) -> None:
    got = from_config_json(config(quantization_config=given), name="a/b").quantization
    assert got is not None
    rounded = tuple((part, round(share, 4)) for part, share in wanted.unquantized_share)
    assert got == replace(wanted, unquantized_share=rounded)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"quant_method": "awq"}, r"config.json of a/b: quantization_config \(awq\): bits is missing"),
        ({"quant_method": "dreamt"}, "method dreamt isn't known and it gives no bits"),
        ({"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION"}, "quant_algo MIXED_PRECISION isn't known"),
        ({"quant_method": "compressed-tensors"}, "weights.num_bits is missing"),
    ],
)
def test_a_quantization_that_cannot_be_sized_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        from_config_json(config(quantization_config=given), name="a/b")


def test_an_override_patches_extends_or_replaces() -> None:
    longer = models({"phi-4": {"max_position_embeddings": 32768}})["phi-4"]
    assert (longer.max_position_embeddings, longer.params) == (32768, models()["phi-4"].params)
    tuned = find("acme/tuned", {"tuned": {"base": "phi-4", "hf_id": "acme/tuned", "vocab_size": 100416}})
    assert tuned is not None
    assert tuned.params == models()["phi-4"].params + 2 * 64 * 5120
    own: Architecture = replace(models()["phi-4"], name="own", hf_id="acme/own")
    assert find("acme/own", {"own": own}) is own


def test_a_wrong_override_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="architecture tuned: base 'phi-5' isn't in the table"):
        models({"tuned": {"base": "phi-5"}})
    with pytest.raises(
        ValueError, match="architecture phi-4: hiden_size is not a field; the fields are attention_layers,"
    ):
        models({"phi-4": {"hiden_size": 1}})
    with pytest.raises(
        ValueError, match=r"architecture new: missing .* required keyword-only arguments: 'hidden_size'"
    ):
        from_row({"name": "new", "vocab_size": 1, "max_position_embeddings": 1, "torch_dtype": "bfloat16"})
