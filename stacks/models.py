"""The `models` section: which weights, at which revision, of which architecture, from which volume."""

from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from components.spec import DnsLabel, HuggingFaceId, Quantity, Spec

Dtype = Literal["bfloat16", "float16", "float32"]


class CheckpointQuantization(Spec):
    """How the weights in the checkpoint are quantized (`quantization_config` of its config.json)."""

    method: Literal[
        "awq", "gptq", "fp8", "compressed-tensors", "modelopt", "modelopt_fp4", "mxfp4", "nvfp4", "bitsandbytes", "none"
    ]
    """The checkpoint's own method; `none` for plain weights."""
    bits: Annotated[int, Field(ge=2, le=16)] | None = None
    """Bits of a weight; the usual of the method when left out."""
    group_size: Annotated[int, Field(ge=-1, le=4096)] | None = None
    """Weights that share one scale; -1 for one scale a channel."""


class ArchitectureOverride(Spec):
    """Shape of a model, under the names of its config.json. Unset values come from the catalogue row of the same name."""

    hf_id: HuggingFaceId | None = None
    """Repository on the Hugging Face Hub that has this shape."""
    model_type: str | None = None
    """`model_type`: the family of the architecture, for example llama."""
    hidden_size: Annotated[int, Field(ge=1)] | None = None
    """`hidden_size`: width of the residual stream."""
    num_hidden_layers: Annotated[int, Field(ge=1)] | None = None
    """`num_hidden_layers`: transformer layers."""
    num_attention_heads: Annotated[int, Field(ge=1)] | None = None
    """`num_attention_heads`: query heads."""
    num_key_value_heads: Annotated[int, Field(ge=1)] | None = None
    """`num_key_value_heads`: key and value heads; as many as query heads without grouped queries."""
    head_dim: Annotated[int, Field(ge=1)] | None = None
    """`head_dim`: size of one head."""
    intermediate_size: Annotated[int, Field(ge=1)] | None = None
    """`intermediate_size`: width of the dense MLP."""
    vocab_size: Annotated[int, Field(ge=1)] | None = None
    """`vocab_size`: tokens of the vocabulary."""
    max_position_embeddings: Annotated[int, Field(ge=1)] | None = None
    """`max_position_embeddings`: the longest context in tokens."""
    tie_word_embeddings: bool | None = None
    """`tie_word_embeddings`: input and output embeddings are one matrix."""
    params: Annotated[int, Field(ge=1)] | None = None
    """All parameters, embeddings included."""
    torch_dtype: Dtype | None = None
    """`torch_dtype`: data type of the unquantized weights."""
    gated: bool | None = None
    """The Hub hands it only to accounts that accepted its licence."""
    num_experts: Annotated[int, Field(ge=1)] | None = None
    """`num_experts`: experts of one layer, in a mixture of experts."""
    num_experts_per_tok: Annotated[int, Field(ge=1)] | None = None
    """`num_experts_per_tok`: experts that each token uses."""
    moe_intermediate_size: Annotated[int, Field(ge=1)] | None = None
    """`moe_intermediate_size`: width of one expert."""
    kv_lora_rank: Annotated[int, Field(ge=1)] | None = None
    """`kv_lora_rank`: size of the latent vector that multi-head latent attention caches."""
    qk_rope_head_dim: Annotated[int, Field(ge=1)] | None = None
    """`qk_rope_head_dim`: size of the rotary part that multi-head latent attention caches."""
    sliding_window: Annotated[int, Field(ge=1)] | None = None
    """`sliding_window`: tokens that a sliding-window layer looks back."""


class Model(Spec):
    """One model that workloads serve."""

    id: HuggingFaceId
    """Repository on the Hugging Face Hub."""
    revision: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_./-]+$")]
    """The commit (40 hexadecimal digits) to serve; a branch or tag can change under you."""
    volume: DnsLabel | None = None
    """The volume that holds the weights; without one each pod downloads them when it starts."""
    storage_uri: (
        Annotated[
            str,
            Field(
                pattern=r"^(s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](/[A-Za-z0-9!_.*'()-]+)*/?"
                r"|oci(\+native)?://[a-z0-9][a-z0-9._:-]*(/[a-z0-9._-]+)+(:[A-Za-z0-9_.-]+)?(@sha256:[0-9a-f]{64})?)$",
                max_length=1000,
            ),
        ]
        | None
    ) = None
    """Where the pods get the weights from when they start, instead of a volume; id and revision say what was copied there. A folder of an
    S3 bucket: the engine must be able to (vLLM's loadFormat runai_streamer, runai_streamer_sharded or tensorizer), or the kind is KServe's.
    An image (oci+native://registry/name:tag), for KServe's kinds only."""
    path: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$")] | None = None
    """Folder of the weights inside an existing claim; `<model>/<revision>` when left out."""
    local_model_cache: bool = False
    """Keep a copy on the disk of every node that serves it, by a LocalModelCache of KServe, instead of copying it for each pod. For
    KServe's kinds; needs platform.kserve.localModels."""
    architecture: str | None = None
    """Row of the architecture catalogue; found by id when left out."""
    config: str | None = None
    """Path, from the project's folder, of the model's config.json, for an architecture that the catalogue lacks."""
    params: Annotated[int, Field(ge=1)] | None = None
    """All parameters, where config.json isn't enough to count them."""
    quantization: CheckpointQuantization | None = None
    """The checkpoint's quantization, where the catalogue row or config.json doesn't say it."""
    weights_size: Quantity | None = None
    """Bytes of the weights on disk; computed from the architecture when left out."""
    gated: bool | None = None
    """The Hub hands it only to accounts that accepted its licence; from the catalogue when left out."""

    @model_validator(mode="after")
    def _one_source(self) -> "Model":
        if self.architecture is not None and self.config is not None:
            raise PydanticCustomError("model", "takes architecture or config, not both")
        if self.volume is not None and self.storage_uri is not None:
            raise PydanticCustomError("model", "takes volume or storageUri, not both")
        return self
