"""vLLM's own server: the `vllm serve` command line for an exact version. Pure."""

from collections.abc import Mapping
from typing import ClassVar, Literal

from components.engines.base import Argument, Launch
from components.engines.groups import Group, vllm_arguments
from components.engines.vllm_engine import VllmEngine
from components.engines.vllm_options import DECIDED


class Vllm(VllmEngine):
    """The vLLM OpenAI-compatible server. Options left out keep the version's own default."""

    name: Literal["vllm"]
    """The engine."""

    REPOSITORY: ClassVar[str] = "vllm/vllm-openai"
    PORT: ClassVar[int] = 8000
    OBJECT_STORE: ClassVar[bool] = True
    HEALTH_PATH: ClassVar[str] = "/health"
    METRICS_PATH: ClassVar[str] = "/metrics"
    # The official entrypoint has changed between releases; this command is the documented one in all of them.
    COMMAND: ClassVar[tuple[str, ...] | None] = ("vllm", "serve")
    # The `vllm` user of the official image: https://github.com/vllm-project/vllm/pull/40275 and
    # https://github.com/ai-dynamo/dynamo/pull/12457 (read 2026-11-22).
    USER: ClassVar[int] = 2000
    # --shutdown-timeout: requests go on for that long after SIGTERM (option tables; conventions.md section 0, finding 6).
    DRAINS: ClassVar[bool] = True
    DECIDED: ClassVar[Mapping[str, str]] = DECIDED
    # FlexibleArgumentParser in vllm/utils/argparse_utils.py.
    EXACT_OPTIONS: ClassVar[bool] = False

    @property
    def tag(self) -> str:
        """Official tags are the version with a v in front."""
        return f"v{self.version}"

    @property
    def release(self) -> str:
        """The version itself."""
        return self.version

    def fixed(self, launch: Launch) -> tuple[Argument, ...]:
        """The model, and what the pod decides."""
        revision = (launch.revision,) if launch.revision else ()
        return (
            Argument(option="", values=(launch.model,), key="model"),
            *(Argument(option="--revision", values=(commit,), key="revision") for commit in revision),
            Argument(option="--port", values=(str(launch.port or self.PORT),), key="port"),
            Argument(option="--shutdown-timeout", values=(str(launch.shutdown_timeout_seconds),), key="drain"),
            Argument(
                option="--served-model-name",
                values=tuple(self.served_model_name or [launch.served_name]),
                key="servedModelName",
            ),
        )

    def group_arguments(self, group: Group) -> list[str] | None:
        """With vLLM's own processes on every node."""
        return vllm_arguments(group)
