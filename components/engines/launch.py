"""What an engine is started with, how many GPUs it spans, and the arguments that it emits. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from catalog.models import Architecture


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What an engine is started with besides its own options; decided in `stacks/resolve.py`."""

    model: str
    """Folder of the weights inside the container, or the Hub repository when the engine downloads them itself."""
    revision: str | None
    """The commit to download; None where `model` is a folder."""
    served_name: str
    """The model name that clients send, unless the engine's options set their own."""
    shutdown_timeout_seconds: int
    """Time for running requests after SIGTERM."""
    startup_seconds: int
    """Time the engine gets to become ready."""
    cache_dir: str
    """A writable folder for compiled kernels and downloads."""
    port: int | None = None
    """Where the engine listens; None for its own port."""
    files_dir: str = "/etc/llm-serving"
    """Where `Engine.files` are mounted, read-only."""
    locations: Mapping[str, str] = field(default_factory=dict)
    """Of each model that `Engine.references` names: its folder in the container, or its Hub repository when the engine downloads."""
    revisions: Mapping[str, str] = field(default_factory=dict)
    """The commit of each of those that the engine downloads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Referenced:
    """What is known of a model that options refer to, such as a draft model."""

    architecture: Architecture | None
    weights_size: int | None
    """Bytes on disk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parallelism:
    """How many GPUs one copy of the model spans, and along which axes."""

    tensor: int = 1
    pipeline: int = 1
    data: int = 1
    expert: bool = False
    prefill_context: int = 1
    """Ranks that share the work on long prompts; each holds all weights that its tensor rank holds."""
    decode_context: int = 1
    """Of the tensor and prefill-context ranks: so many share the KV cache of one sequence. Brings no ranks of its own."""
    attention_data: int = 1
    """Of the tensor ranks: groups that each compute attention for other requests. Brings no ranks of its own."""
    experts_span_data: bool = True
    """The data-parallel copies split each layer's experts among them; if not, every copy has all of them."""

    @property
    def ranks(self) -> int:
        """GPUs of one copy: one rank each."""
        return self.tensor * self.pipeline * self.prefill_context * self.data

    @property
    def attention_tensor(self) -> int:
        """Ranks that share the attention heads."""
        return max(1, self.tensor // self.attention_data)


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """One command-line argument that an engine emits, and the key of the stack file that it comes from."""

    option: str
    """Empty for a positional argument."""
    values: tuple[str, ...]
    """Nothing for a flag."""
    key: str

    @property
    def words(self) -> list[str]:
        """The argument as words of the command line."""
        if not self.option:
            return list(self.values)
        if len(self.values) == 1:
            return [f"{self.option}={self.values[0]}"]
        return [self.option, *self.values]
