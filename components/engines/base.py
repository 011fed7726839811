"""What every inference engine tells the rest of the program: its container, its arguments, its ports and its parallelism. Pure."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

from pydantic import Field

from catalog.gpus import Gpu
from catalog.models import Architecture
from catalog.options import Overrides, versions
from components.engines.vllm_memory import MemoryEstimate
from components.spec import Spec

ImageDigest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


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
    files_dir: str = "/etc/llm-serving"
    """Where `Engine.files` are mounted, read-only."""
    locations: Mapping[str, str] = field(default_factory=dict)
    """Of each model that `Engine.references` names: its folder in the container, or its Hub repository when the engine downloads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parallelism:
    """How many GPUs one copy of the model spans, and along which axes."""

    tensor: int = 1
    pipeline: int = 1
    data: int = 1
    expert: bool = False

    @property
    def ranks(self) -> int:
        """GPUs of one copy: one rank each."""
        return self.tensor * self.pipeline * self.data


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


class Engine(Spec, ABC):
    """Base of the engines. A subclass adds `name: Literal[...]`, its options, and the facts below."""

    name: str
    version: Annotated[str, Field(pattern=r"^[0-9A-Za-z][A-Za-z0-9_.+-]*$", max_length=60)]
    """The exact release, for example 0.33.0; it picks the image tag and the table of options."""
    image: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:/-]+$")] | None = None
    """Another image than the official one, without a tag when it should get the official tag."""
    image_digest: ImageDigest | None = None
    """Digest that pins the image's content."""
    extra_args: list[str] = Field(default_factory=list)
    """More arguments in the engine's own words, such as `--tool-call-parser=hermes`; checked against the version's options."""

    REPOSITORY: ClassVar[str]
    """The official image, without tag."""
    PORT: ClassVar[int]
    """Container port of the API, above 1024 so that no capability is needed."""
    HEALTH_PATH: ClassVar[str]
    METRICS_PATH: ClassVar[str]
    COMMAND: ClassVar[tuple[str, ...] | None] = None
    """Replaces the image's entrypoint; None keeps it."""
    USER: ClassVar[int]
    """A user id without root that the image can run as."""
    WRITABLE_PATHS: ClassVar[tuple[str, ...]] = ()
    """Folders that the image writes to besides the cache, /tmp and /dev/shm; each is a part of the cache volume."""
    DRAINS: ClassVar[bool]
    """After SIGTERM it finishes running requests; if not, the wait before SIGTERM gets the shutdown time as well."""
    WEIGHTS_PATH: ClassVar[str] = "/models"
    """Where the weights volume is mounted, read-only."""

    @property
    @abstractmethod
    def tag(self) -> str:
        """Tag of the official image for this version."""

    @abstractmethod
    def parallelism(self) -> Parallelism:
        """GPUs of one copy of the model."""

    @abstractmethod
    def arguments(self, launch: Launch, overrides: Overrides | None = None) -> tuple[Argument, ...]:
        """The typed arguments in a fixed order, in the words of this version; `overrides` are option tables that the stack adds."""

    @abstractmethod
    def environment(self, launch: Launch) -> dict[str, str]:
        """Environment that the engine needs to start without root on a read-only file system, usage statistics off."""

    @abstractmethod
    def client_model(self, launch: Launch) -> str:
        """The model name that clients send."""

    @abstractmethod
    def memory(self, architecture: Architecture, gpu: Gpu, total_gib: float | None) -> MemoryEstimate | None:
        """GPU memory of one rank on `gpu` (or on a slice of `total_gib` of it); None where the engine has no estimate."""

    def references(self) -> tuple[str, ...]:
        """Names of the models section that options refer to, such as a draft model."""
        return ()

    def files(self, launch: Launch) -> dict[str, str]:
        """Configuration files by name; they become a ConfigMap that is mounted at `launch.files_dir`."""
        return {}

    def is_eager(self) -> bool:
        """It starts without compiling kernels or capturing CUDA graphs."""
        return False

    def host_offload_bytes(self) -> int:
        """Weights that stay in the pod's memory."""
        return 0

    def args(self, launch: Launch, overrides: Overrides | None = None) -> list[str]:
        """The whole command line after the entrypoint: typed arguments, then `extraArgs` as written."""
        typed = [word for argument in self.arguments(launch, overrides) for word in argument.words]
        return typed + self.extra_args

    def table_version(self, overrides: Overrides | None = None) -> str:
        """The version whose option table applies: this one, or the newest known where a rule reports this one as unknown."""
        known = versions(self.name, overrides)
        return self.version if self.version in known else known[-1]

    def image_reference(self) -> str:
        """The image to run: repository, tag and, where given, digest."""
        image = self.image or self.REPOSITORY
        named = image if ":" in image.rsplit("/", 1)[-1] else f"{image}:{self.tag}"
        return f"{named}@{self.image_digest}" if self.image_digest else named
