"""KServe's Hugging Face runtime: vLLM's engine behind KServe's own server. Pure.

Facts: kserve/kserve 1fb7810 (v0.20.0), read 2026-11-23; files named below are in python/, unless another folder is named.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

from catalog.huggingface import vllm_release
from catalog.options import Overrides
from components.engines.base import Argument, Launch
from components.engines.vllm_engine import VllmEngine
from components.engines.vllm_options import DECIDED

_PORT = "the pod, whose probes and Service use it"


class HuggingFace(VllmEngine):
    """KServe's Hugging Face runtime with its vLLM backend. Options left out keep the default of the vLLM in its image."""

    name: Literal["huggingface"]
    """The engine."""

    REPOSITORY: ClassVar[str] = "kserve/huggingfaceserver"
    # --http_port (kserve/kserve/constants/constants.py, DEFAULT_HTTP_PORT).
    PORT: ClassVar[int] = 8080
    # OPENAI_ROUTE_PREFIX in kserve/kserve/protocol/rest/openai/endpoints.py.
    API_PATH: ClassVar[str] = "/openai/v1"
    # Of the server alone: `health_path` asks for the model.
    HEALTH_PATH: ClassVar[str] = "/v2/health/ready"
    METRICS_PATH: ClassVar[str] = "/metrics"
    # The user `kserve` of huggingface_server.Dockerfile.
    USER: ClassVar[int] = 1000
    # After SIGTERM running requests get 30 seconds, which no option changes (kserve/kserve/model_server.py, grace_period).
    DRAINS: ClassVar[bool] = False
    DECIDED: ClassVar[Mapping[str, str]] = {
        **{option: why for option, why in DECIDED.items() if not option.startswith(("--ssl", "--shutdown", "--uds"))},
        "--model_dir": "the model of the workload",
        "--model_id": "the model of the workload",
        "--model_revision": "the revision in the models section",
        "--model_name": "servedModelName",
        "--served-model-name": "servedModelName",
        "--http_port": _PORT,
        "--grpc_port": _PORT,
        "--enable_grpc": _PORT,
        "--backend": "the engine, which is vLLM here",
        "--workers": "the engine: vLLM runs in one server process",
        "--disable_log_requests": "enableLogRequests",
        "--max_length": "maxModelLen",
        "--max_model_len": "maxModelLen",
        "--trust_remote_code": "trustRemoteCode",
        "--trust-remote-code": "trustRemoteCode",
    }
    # huggingfaceserver/__main__.py calls parse_known_args, which doesn't turn underscores into dashes as vLLM's parse_args does.
    EXACT_OPTIONS: ClassVar[bool] = True

    @property
    def tag(self) -> str:
        """KServe's release, with GPU support (.github/workflows/huggingface-docker-publish.yml)."""
        return f"v{self.version}-gpu"

    @property
    def release(self) -> str:
        """That in the image of this version, or of the newest known where a rule reports this one as unknown."""
        return vllm_release(self.table_version())

    def package(self) -> tuple[str, str]:
        """The vLLM in its image; KServe's own server has advisories of its own, which nobody looked up here."""
        return "vllm", self.release

    def fixed(self, launch: Launch) -> tuple[Argument, ...]:
        """The model and what the pod decides; the gRPC server is off, and requests are logged only where the stack file says so."""
        if launch.revision:
            model = (
                Argument(option="--model_id", values=(launch.model,), key="model"),
                Argument(option="--model_revision", values=(launch.revision,), key="revision"),
            )
        else:
            model = (Argument(option="--model_dir", values=(launch.model,), key="model"),)
        quiet = Argument(option="--disable_log_requests", values=(), key="enableLogRequests")
        return (
            *model,
            Argument(option="--model_name", values=(self.client_model(launch),), key="servedModelName"),
            Argument(option="--backend", values=("vllm",), key="name"),
            Argument(option="--http_port", values=(str(self.PORT),), key="port"),
            Argument(option="--enable_grpc", values=("false",), key="port"),
            *(() if self.enable_log_requests else (quiet,)),
        )

    def health_path(self, launch: Launch) -> str:
        """Ready only while vLLM's engine is healthy; the server's own paths don't ask it (kserve/kserve/protocol/dataplane.py)."""
        return f"/v2/models/{self.client_model(launch)}/ready"

    def _argument(self, field: str, value: Any, launch: Launch, overrides: Overrides | None) -> Argument:
        if field == "trust_remote_code" and value:
            # Only this spelling is known when the runtime reads the model's configuration (huggingfaceserver/__main__.py).
            return Argument(option="--trust_remote_code", values=(), key="trustRemoteCode")
        return super()._argument(field, value, launch, overrides)
