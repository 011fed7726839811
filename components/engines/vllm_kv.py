"""How vLLM lays out its KV cache on one rank: bytes per block, blocks per request, tokens.

Formulas: vLLM 0.19.0 v1/core/kv_cache_utils.py and 0.33.0 v1/core/kv_cache_planning.py, v1/kv_cache_interface.py,
model_executor/models/config.py (`HybridAttentionMambaModelConfig`).
"""

from dataclasses import dataclass, replace

from catalog.architecture import DTYPE_BYTES, Architecture, LinearAttention

BLOCK_TOKENS = 16
FP8_DS_MLA_BYTES = 656
"""One token of one layer in the fp8_ds_mla layout: 512 fp8 values, four fp32 scales, 64 bf16 rotary values."""
INDEXER_SCALE_BYTES = 4
"""The sparse indexer stores its key in fp8 with one fp32 scale per 128 values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KvGroup:
    """Layers that share block tables. `kind`: full, sliding, chunked or state (fixed size per request)."""

    kind: str
    block_tokens: int
    window: int = 0

    def blocks(self, length: int, batched_tokens: int, state_blocks: int) -> int:
        """Blocks that one request of `length` tokens takes in this group at most."""
        if self.kind == "state":
            return state_blocks
        if self.kind == "sliding":
            return -(-min(self.window - 1 + batched_tokens, length) // self.block_tokens) + 1
        if self.kind == "chunked":
            return -(-min(self.window + batched_tokens, length) // self.block_tokens)
        return -(-length // self.block_tokens)


@dataclass(frozen=True, slots=True, kw_only=True)
class KvLayout:
    """The KV cache of one rank: every group draws blocks of `block_bytes` from one pool."""

    groups: tuple[KvGroup, ...]
    block_bytes: int
    bytes_per_token: int
    """What one more token costs in the layers that grow with the context."""
    batched_tokens: int
    state_blocks: int = 1

    def shared(self, ranks: int, more_per_token: int) -> "KvLayout":
        """With blocks that `ranks` share, each keeping its part of their tokens (decode context parallelism), and with
        `more_per_token` bytes for a draft's layers in every token.
        """
        if ranks == 1 and not more_per_token:
            return self
        largest = max(group.block_tokens for group in self.groups)
        return replace(
            self,
            groups=tuple(replace(group, block_tokens=group.block_tokens * ranks) for group in self.groups),
            block_bytes=self.block_bytes + more_per_token * largest,
            bytes_per_token=-(-(self.bytes_per_token + more_per_token) // ranks),
        )

    def request_blocks(self, length: int) -> int:
        """Blocks of one request of `length` tokens, all groups together."""
        return sum(group.blocks(length, self.batched_tokens, self.state_blocks) for group in self.groups)

    def printed_tokens(self, blocks: int, length: int, version: tuple[int, ...]) -> int:
        """The token count that vLLM prints. Until 0.20.1: blocks per group; since: concurrency x max_model_len."""
        if len(self.groups) == 1 or version < (0, 20, 2):
            smallest = min(group.block_tokens for group in self.groups if group.block_tokens)
            return blocks // len(self.groups) * smallest
        return blocks * length // self.request_blocks(length)

    def largest_length(self, blocks: int, limit: int) -> int:
        """The longest context, up to `limit`, of which one request fits into `blocks`; 0 when none does."""
        if self.request_blocks(limit) <= blocks:
            return limit
        low, high = 0, limit
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if self.request_blocks(middle) <= blocks else (low, middle)
        return low


def kv_value_bytes(kv_cache_dtype: str, dtype: str, head_dim: int) -> float:
    """Bytes of one cached value. Raises ValueError when the dtype's layout isn't known."""
    if kv_cache_dtype == "auto":
        return DTYPE_BYTES[dtype]
    if kv_cache_dtype in DTYPE_BYTES:
        return DTYPE_BYTES[kv_cache_dtype]
    if kv_cache_dtype in ("int8_per_token_head", "fp8_per_token_head"):
        return 1 + 4 / head_dim
    if kv_cache_dtype.startswith("fp8"):
        return 1
    if kv_cache_dtype == "nvfp4":
        return 0.5 + 1 / 16
    if kv_cache_dtype == "int4_per_token_head":
        return 0.5 + 4 / head_dim
    raise ValueError(
        f"kv cache dtype {kv_cache_dtype!r}: its size per token isn't known here; use auto, fp8 or bfloat16"
    )


def kv_layout(
    arch: Architecture,
    *,
    layers: int,
    tensor: int,
    kv_cache_dtype: str,
    dtype: str,
    batched_tokens: int,
    hopper: bool,
    state_blocks: int = 1,
) -> KvLayout:
    """The layout on a pipeline stage of `layers` layers and one of `tensor` ranks. `hopper`: compute capability 9.0."""
    share = layers / arch.num_hidden_layers
    full_layers = -(-(arch.kv_layers - arch.sliding_layers) * share // 1)
    sliding_layers = -(-arch.sliding_layers * share // 1)
    if arch.mla:
        per_token = _latent_bytes(arch, kv_cache_dtype, dtype, hopper) * arch.kv_layers * share
        token_bytes = round(per_token)
        group = KvGroup(kind="full", block_tokens=64)
        return KvLayout(
            groups=(group,), block_bytes=token_bytes * 64, bytes_per_token=token_bytes, batched_tokens=batched_tokens
        )
    full_token = _token_bytes(arch.num_key_value_heads, arch.head_dim, tensor, kv_cache_dtype, dtype)
    sliding_token = _token_bytes(
        arch.sliding_key_value_heads or arch.num_key_value_heads,
        arch.sliding_head_dim or arch.head_dim,
        tensor,
        kv_cache_dtype,
        dtype,
    )
    counts: list[tuple[str, int, int]] = []
    if full_layers:
        counts.append(("full", int(full_layers), full_token))
    if sliding_layers:
        counts.append(("chunked" if arch.sliding_chunked else "sliding", int(sliding_layers), sliding_token))
    if arch.linear_attention:
        counts.append(("state", int(-(-arch.linear_attention.layers * share // 1)), 0))
    return _grouped(arch, counts, tensor, batched_tokens, state_blocks)


def state_bytes(linear: LinearAttention, tensor: int, conv_bytes: int = 2) -> int:
    """Bytes of one request's state in one linear-attention layer on one rank (convolution and recurrent state)."""
    keys, values = linear.key_heads * linear.key_dim, linear.value_heads * linear.value_dim
    convolution = (2 * keys + values) // tensor * (linear.conv_kernel - 1) * conv_bytes
    return (
        convolution + linear.value_heads // tensor * linear.value_dim * linear.key_dim * DTYPE_BYTES[linear.state_dtype]
    )


def _token_bytes(kv_heads: int, head_dim: int, tensor: int, kv_cache_dtype: str, dtype: str) -> int:
    return round(2 * max(1, kv_heads // tensor) * head_dim * kv_value_bytes(kv_cache_dtype, dtype, head_dim))


def _latent_bytes(arch: Architecture, kv_cache_dtype: str, dtype: str, hopper: bool) -> float:
    """One token of one MLA layer; tensor parallelism doesn't divide it. The sparse indexer adds its own key."""
    latent = (arch.kv_lora_rank or 0) + (arch.qk_rope_head_dim or 0)
    sparse = arch.index_head_dim is not None
    if kv_cache_dtype == "fp8_ds_mla" or (sparse and hopper and kv_cache_dtype.startswith("fp8")):
        size: float = FP8_DS_MLA_BYTES
    else:
        size = latent * kv_value_bytes(kv_cache_dtype, dtype, latent)
    return size + ((arch.index_head_dim or 0) * (1 + INDEXER_SCALE_BYTES / 128) if sparse else 0)


def _grouped(
    arch: Architecture, counts: list[tuple[str, int, int]], tensor: int, batched_tokens: int, state_blocks: int
) -> KvLayout:
    """Layers of several kinds share one pool of equal pages, in groups of equally many layers."""
    windows = dict.fromkeys(("sliding", "chunked"), arch.sliding_window or 0)
    growing = sum(count * token for kind, count, token in counts if kind == "full") or sum(c * t for _, c, t in counts)
    if len(counts) == 1:
        kind, count, token = counts[0]
        group = KvGroup(kind=kind, block_tokens=BLOCK_TOKENS, window=windows.get(kind, 0))
        return KvLayout(
            groups=(group,),
            block_bytes=count * token * BLOCK_TOKENS,
            bytes_per_token=growing,
            batched_tokens=batched_tokens,
        )
    largest = max(token for _, _, token in counts)
    page = largest * BLOCK_TOKENS
    if arch.linear_attention:
        step = BLOCK_TOKENS * largest
        page = max(page, -(-state_bytes(arch.linear_attention, tensor) // step) * step)
    sizes = [count for _, count, _ in counts]
    smallest, most = min(sizes), max(sizes)
    group_layers = most if most < 1.5 * smallest else smallest
    groups = []
    for kind, count, token in counts:
        block_tokens = page // token if token else 0
        groups += [KvGroup(kind=kind, block_tokens=block_tokens, window=windows.get(kind, 0))] * -(
            -count // group_layers
        )
    return KvLayout(
        groups=tuple(groups),
        block_bytes=page * group_layers,
        bytes_per_token=growing,
        batched_tokens=batched_tokens,
        state_blocks=state_blocks,
    )
