"""What every inference engine tells the rest of the program: its container, its arguments, its ports and its parallelism. Pure."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, ClassVar

from pydantic import Field
from pydantic.alias_generators import to_camel

from catalog.architecture import Quantization
from catalog.gpus import Gpu
from catalog.models import Architecture
from catalog.options import Overrides, versions
from components.engines.groups import Group
from components.engines.launch import Argument, Launch, Parallelism, Referenced
from components.engines.vllm_memory import MemoryEstimate
from components.spec import Spec

ImageDigest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


__all__ = ["Argument", "Engine", "ImageDigest", "Launch", "Parallelism", "Referenced"]


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
    API_PATH: ClassVar[str] = "/v1"
    """Where the OpenAI-compatible API begins."""
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
    OBJECT_STORE: ClassVar[bool] = False
    """It reads weights from s3:// itself."""
    WEIGHTS_PATH: ClassVar[str] = "/models"
    """Where the weights volume is mounted, read-only."""
    PARALLEL_KEYS: ClassVar[Mapping[str, str]] = {
        "tensor": "tensorParallelSize",
        "pipeline": "pipelineParallelSize",
        "data": "dataParallelSize",
        "expert": "enableExpertParallel",
    }
    """The stack file's key behind each field of `parallelism`, for those that the engine has."""
    REFUSES_EXPERTS: ClassVar[bool] = True
    """It refuses expert parallelism for models without experts; if not, that has no effect."""
    MEMORY_KEY: ClassVar[str | None] = None
    """The stack file's key with the share of a GPU's memory that `usable_gib` follows; None where it can't be set."""
    COPIES_KV_HEADS: ClassVar[bool] = True
    """With more tensor-parallel ranks than key-value heads, each head goes to several ranks; if not, the ranks must divide the heads."""
    VOCABULARY_MULTIPLE: ClassVar[int | None] = 64
    """The vocabulary is padded to a multiple of it, which the tensor-parallel ranks must divide; None: they need not."""
    DECIDED: ClassVar[Mapping[str, str]] = {}
    """Options that follow from the rest of the stack, and from what: a second value in `extraArgs` would fight with it."""
    EXACT_OPTIONS: ClassVar[bool] = True
    """Its parser takes options only as the table writes them; if not, underscores count as dashes."""

    @property
    @abstractmethod
    def tag(self) -> str:
        """Tag of the official image for this version."""

    def package(self) -> tuple[str, str]:
        """Name and version under which its vulnerabilities are published."""
        return self.name, self.version

    @abstractmethod
    def parallelism(self) -> Parallelism:
        """GPUs of one copy of the model."""

    @abstractmethod
    def arguments(self, launch: Launch, overrides: Overrides | None = None) -> tuple[Argument, ...]:
        """The typed arguments in a fixed order, in the words of this version; `overrides` are option tables that the stack adds."""

    def health_path(self, launch: Launch) -> str:
        """What the probes ask."""
        return self.HEALTH_PATH

    @abstractmethod
    def environment(self, launch: Launch) -> dict[str, str]:
        """Environment that the engine needs to start without root on a read-only file system, usage statistics off."""

    @abstractmethod
    def client_model(self, launch: Launch) -> str:
        """The model name that clients send."""

    def memory(
        self,
        architecture: Architecture,
        gpu: Gpu,
        total_gib: float | None,
        referenced: Mapping[str, Referenced] = MappingProxyType({}),
    ) -> MemoryEstimate | None:
        """GPU memory of one rank on `gpu` (or on a slice of `total_gib` of it); None where the engine has no estimate.

        Without one, rules MEM002 and MEM006 go by the weights. `referenced`: what is known of the models that `references` names.
        """
        return None

    def references(self) -> tuple[str, ...]:
        """Names of the models section that options refer to, such as a draft model."""
        return ()

    def files(self, launch: Launch) -> dict[str, str]:
        """Configuration files by name; they become a ConfigMap that is mounted at `launch.files_dir`."""
        return {}

    def group_arguments(self, group: Group) -> list[str] | None:
        """Arguments more for one of the pods that a copy spans; None where the engine can't span pods by itself."""
        return None

    @classmethod
    def option_name(cls, field: str) -> str:
        """The command-line option of a field: `max_model_len` is --max-model-len."""
        return "--" + field.replace("_", "-")

    @classmethod
    def key_name(cls, field: str) -> str:
        """The key of a field in the stack file: `max_model_len` is maxModelLen."""
        return cls.model_fields[field].alias or to_camel(field)

    def usable_gib(self, total_gib: float) -> float:
        """GiB of a GPU's memory that the engine may use."""
        return total_gib

    def quantized_at_load(self) -> Quantization | None:
        """How the engine stores the weights of a plain checkpoint; None where it keeps them as they are."""
        return None

    def least_kv_bytes(self, architecture: Architecture) -> int:
        """Bytes of KV cache on each rank without which the engine doesn't start; 0 where that isn't known."""
        return 0

    def is_eager(self) -> bool:
        """It starts without compiling kernels or capturing CUDA graphs."""
        return False

    def host_offload_bytes(self) -> int:
        """Weights and KV cache that stay in the pod's memory, besides `shared_memory_bytes`."""
        return 0

    def host_bytes(self, architecture: Architecture | None, weights_size: int | None) -> int:
        """`host_offload_bytes`, with what depends on the model; `weights_size`: bytes of its weights."""
        return self.host_offload_bytes()

    def shared_memory_bytes(self) -> int:
        """What options put into /dev/shm besides the queues between ranks."""
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
