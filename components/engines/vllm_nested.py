"""The other JSON options of vLLM: compilation, structured outputs, expert load balancing, LoRA modules. Pure.

Fields: vllm/config/{compilation,structured_outputs,parallel}.py and entrypoints/openai/models/protocol.py of 0.29.0, 0.32.0, 0.33.0.
"""

from typing import Annotated, Any, Literal

from pydantic import Field, JsonValue

from components.engines.base import Launch
from components.engines.vllm_json import JsonOption
from components.spec import DnsLabel

_POSITIVE = Annotated[int, Field(ge=1)]


class CompilationConfig(JsonOption):
    """How the model is compiled and captured; optimizationLevel sets the rest."""

    mode: Annotated[int, Field(ge=0, le=3)] | None = None
    """0 nothing, 1 torch.compile as it is, 2 one trace, 3 vLLM's own backend; 3 from optimizationLevel 1 on."""
    cudagraph_mode: Literal["NONE", "PIECEWISE", "FULL", "FULL_DECODE_ONLY", "FULL_AND_PIECEWISE"] | None = None
    """Which CUDA graphs are captured; FULL_AND_PIECEWISE at the default optimization level."""
    cudagraph_capture_sizes: list[_POSITIVE] | None = None
    """Batch sizes, in tokens, that graphs are captured for."""
    max_cudagraph_capture_size: Annotated[int, Field(ge=0)] | None = None
    """Largest of those sizes, where they aren't given."""
    compile_sizes: list[_POSITIVE | Literal["cudagraph_capture_sizes"]] | None = None
    """Batch sizes that are compiled for exactly that size."""
    custom_ops: list[str] | None = None
    """Operators of vLLM to switch on (+name, all) or off (-name, none)."""
    use_inductor_graph_partition: bool | None = None
    """Let Inductor split the graph instead of vLLM."""
    pass_config: dict[str, JsonValue] | None = None
    """vLLM's own compiler passes, under their own names, for example fuse_allreduce_rms."""


class StructuredOutputsConfig(JsonOption):
    """Answers that follow a JSON schema, a grammar or a pattern."""

    backend: Literal["auto", "xgrammar", "guidance", "outlines", "lm-format-enforcer"] | None = None
    """Library that checks the grammar; auto when left out."""
    disable_any_whitespace: bool | None = None
    """Compact JSON; for backends xgrammar and guidance."""
    disable_additional_properties: bool | None = None
    """No properties beyond the schema's; for backend guidance."""
    enable_in_reasoning: bool | None = None
    """Constrain the reasoning part too."""


class EplbConfig(JsonOption):
    """Balancing of experts over ranks."""

    window_size: _POSITIVE | None = None
    """Steps whose load counts; 1000 when left out."""
    step_interval: _POSITIVE | None = None
    """Steps between two rearrangements; 3000 when left out."""
    num_redundant_experts: Annotated[int, Field(ge=0)] | None = None
    """Copies of experts beyond one of each, over all ranks: they take GPU memory."""
    use_async: bool | None = None
    """Move weights while requests run; true when left out."""


class LoraModule(JsonOption):
    """One adapter that clients name as the model."""

    name: Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^=,\s]+$")]
    """The model name that clients send."""
    model: DnsLabel
    """The adapter: a name of the models section."""
    base_model_name: str | None = None
    """Model that /v1/models lists as its parent."""

    def content(self, launch: Launch) -> dict[str, Any]:
        """With the adapter's folder, or its repository."""
        found = super().content(launch)
        return {"path": launch.locations[found.pop("model")], **found}
