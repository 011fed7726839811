"""vLLM's --speculative-config: one type for each method, with the fields which that method takes. Pure.

Fields and methods: class SpeculativeConfig in vllm/config/speculative.py of 0.29.0, 0.32.0 and 0.33.0. Each field that one of
these versions lacks is refused for it by ENG030, from the lists in `catalog/data/vllm_options_*`.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from components.engines.base import Launch
from components.engines.vllm_json import JsonOption
from components.spec import DnsLabel

_POSITIVE = Annotated[int, Field(ge=1)]
_SHARE = Annotated[float, Field(ge=0, le=1)]


class _Common(JsonOption):
    """What every method takes."""

    rejection_sample_method: Literal["standard", "block", "fly"] | None = None
    """How proposed tokens are accepted. standard and block keep the model's distribution; fly (0.33) doesn't."""
    num_speculative_tokens_per_batch_size: (
        list[Annotated[list[Annotated[int, Field(ge=0)]], Field(min_length=3, max_length=3)]] | None
    ) = None
    """Other numbers of proposed tokens by batch size: first size, last size, tokens."""


class _Speculative(_Common):
    """What every method takes that needs a number of tokens."""

    num_speculative_tokens: _POSITIVE
    """Tokens that are proposed in one step."""


class NgramSpeculation(_Speculative):
    """Proposes what followed the same words earlier in the prompt: no weights."""

    method: Literal["ngram", "ngram_gpu"]
    """ngram looks on the CPU, ngram_gpu on the GPU."""
    prompt_lookup_max: _POSITIVE | None = None
    """Longest run of tokens to look for; 5 when neither is set."""
    prompt_lookup_min: _POSITIVE | None = None
    """Shortest run of tokens to look for."""


class SuffixSpeculation(_Common):
    """Proposes from a suffix tree of earlier answers (Arctic Inference, which the image must have): no weights."""

    method: Literal["suffix"]
    """Suffix decoding."""
    num_speculative_tokens: _POSITIVE | None = None
    """Most tokens that are proposed in one step; suffixDecodingMaxTreeDepth when left out."""
    suffix_decoding_max_tree_depth: _POSITIVE | None = None
    """Depth of the trees, in tokens; 24 when left out."""
    suffix_decoding_max_cached_requests: Annotated[int, Field(ge=0)] | None = None
    """Answers that are kept, in host memory; 10000 when left out, 0 for none."""
    suffix_decoding_max_spec_factor: Annotated[float, Field(ge=0)] | None = None
    """Most proposed tokens for each matched one; 1.0 when left out."""
    suffix_decoding_min_token_prob: _SHARE | None = None
    """Least estimated probability of a proposed token; 0.1 when left out."""


class _WithWeights(_Speculative):
    """Methods with weights of their own."""

    draft_tensor_parallel_size: _POSITIVE | None = None
    """GPUs that share the draft's layers: 1, or tensorParallelSize, which it is when left out."""
    quantization: str | None = None
    """Quantization method of the draft; from its checkpoint when left out."""
    max_model_len: _POSITIVE | None = None
    """Context length of the draft in tokens."""
    attention_backend: str | None = None
    """Attention implementation of the draft."""
    kv_cache_dtype: str | None = None
    """Data type of the draft's KV cache; the workload's when left out."""
    moe_backend: str | None = None
    """Kernels for the draft's experts; the workload's when left out."""
    draft_sample_method: Literal["greedy", "probabilistic"] | None = None
    """How the draft picks tokens; greedy when left out."""
    enforce_eager: bool | None = None
    """No CUDA graphs for the draft."""
    use_local_argmax_reduction: bool | None = None
    """Each rank picks among its own part of the vocabulary: less to send, greedy only."""

    def content(self, launch: Launch) -> dict[str, Any]:
        """With the folder of the draft's weights, or its repository and commit."""
        found = super().content(launch)
        if name := found.get("model"):
            found["model"] = launch.locations[name]
            if name in launch.revisions:
                found["revision"] = launch.revisions[name]
        return found


class DraftModelSpeculation(_WithWeights):
    """Proposes with a smaller model of the same vocabulary."""

    method: Literal["draft_model"]
    """A whole model."""
    model: DnsLabel
    """The draft: a name of the models section."""
    parallel_drafting: bool | None = None
    """All tokens at once; the draft must be trained for it."""
    use_heterogeneous_vocab: bool | None = None
    """The draft has another vocabulary; only tokens of both are proposed."""


class EagleSpeculation(_WithWeights):
    """Proposes with a head on the model's own hidden states, which is trained for that model."""

    method: Literal["eagle", "eagle3", "dflash", "dspark"]
    """Which kind of head the weights are."""
    model: DnsLabel
    """The head: a name of the models section."""
    parallel_drafting: bool | None = None
    """All tokens at once; the head must be trained for it."""
    disable_padded_drafter_batch: bool | None = None
    """Batches of different lengths for the head, where the attention backend can."""
    disable_eagle_block_drop: bool | None = None
    """Keep the last block of the prefix cache (0.32 and later)."""
    draft_lm_head_quantization: Literal["fp8", "nvfp4"] | None = None
    """Quantize the head's copy of the output layer (0.33)."""


class MtpSpeculation(_WithWeights):
    """Proposes with the multi-token-prediction layers of the model's own checkpoint."""

    method: Literal["mtp"]
    """Multi-token prediction."""
    model: DnsLabel | None = None
    """Where the layers are a checkpoint of their own: a name of the models section."""
    index_share_for_mtp_iteration: bool | None = None
    """Reuse the first step's sparse indices in the next ones."""
    disable_eagle_block_drop: bool | None = None
    """Keep the last block of the prefix cache (0.32 and later)."""
    draft_lm_head_quantization: Literal["fp8", "nvfp4"] | None = None
    """Quantize the layers' copy of the output layer (0.33)."""


SpeculativeConfig = Annotated[
    NgramSpeculation | SuffixSpeculation | DraftModelSpeculation | EagleSpeculation | MtpSpeculation,
    Field(discriminator="method"),
]


def draft_model(config: SpeculativeConfig | None) -> str | None:
    """The model of the models section that proposes, or None."""
    return getattr(config, "model", None)
