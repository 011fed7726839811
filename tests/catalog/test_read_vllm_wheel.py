"""The table that a maintainer reads from a wheel: a wheel of a few lines, and, where there is one, a real wheel."""

import json
import os
import zipfile
from pathlib import Path

import pytest

from catalog import rows
from catalog.read_vllm_wheel import main, table
from catalog.wheel_source import WheelSource

FILES = {
    "vllm/utils/argparse_utils.py": "class FlexibleArgumentParser:\n    pass\n",
    "vllm/config/__init__.py": "from .model import ModelConfig\nfrom .types import *\n",
    "vllm/config/types.py": 'LogLevel = Literal["INFO", "DEBUG"]\n',
    "vllm/config/parallel.py": """
Backend = Literal["ray", "mp"]
All = Literal["naive", "pplx", "hidden"]
HIDDEN = "hidden"

@config
class EPLBConfig:
    window_size: int = Field(default=1000, gt=0)
    policy: Literal["default"] = "default"

@config
class ParallelConfig:
    data_parallel_backend: Backend | None = None
    all2all: All = "naive"
    tensor_parallel_size: int = Field(default=1, ge=1)
    eplb_config: EPLBConfig = Field(default_factory=EPLBConfig)
""",
    "vllm/config/model.py": """
if TYPE_CHECKING:
    from torch import dtype
ModelDType = Literal["auto", "half"]

@config
class ModelConfig:
    model: str = "a/b"
    dtype: ModelDType | torch.dtype = "auto"
    max_model_len: int = Field(default=None, ge=-1)
    batched: int | None = None
    enforce_eager: bool = False
    names: str | list[str] | None = None
    overrides: dict[str, Any] = field(default_factory=dict)
    hf_token: bool | str | None = None
    level: "LogLevel" = "INFO"
    NOT_A_FIELD: ClassVar[int] = 1
""",
    "vllm/config/vllm.py": """
from vllm.config.parallel import EPLBConfig

@config
class KVTransferConfig:
    kv_connector: str | None = None
    kv_role: Literal["kv_both"] | None = None

@config
class VllmConfig:
    kv_transfer_config: KVTransferConfig | None = None
    speculative_config: KVTransferConfig | None = None
""",
    "vllm/engine/arg_utils.py": """
from vllm.config import LogLevel, ModelConfig
from vllm.config.parallel import HIDDEN, ParallelConfig
from vllm.config.vllm import VllmConfig

def _compute_kwargs(cls):
    human_readable_int_args = {"batched"}

def get_kwargs(cls):
    return cls

class EngineArgs:
    @staticmethod
    def add_cli_args(parser):
        model_kwargs = get_kwargs(ModelConfig)
        group = parser.add_argument_group(title="ModelConfig")
        if not ("serve" in sys.argv[1:]):
            group.add_argument("--model", **model_kwargs["model"])
        group.add_argument("--dtype", **model_kwargs["dtype"])
        group.add_argument("--max-model-len", **model_kwargs["max_model_len"])
        group.add_argument("--batched", **model_kwargs["batched"])
        group.add_argument("--enforce-eager", **{**model_kwargs["enforce_eager"], "default": None})
        group.add_argument("--names", **model_kwargs["names"])
        group.add_argument("--overrides", **model_kwargs["overrides"])
        group.add_argument("--hf-token", **model_kwargs["hf_token"])
        group.add_argument("--log-level", choices=get_args(LogLevel), default=argparse.SUPPRESS)
        parallel_kwargs = get_kwargs(ParallelConfig)
        parallel_kwargs["all2all"]["choices"].remove(HIDDEN)
        group.add_argument("--all2all", **parallel_kwargs["all2all"])
        group.add_argument("--tensor-parallel-size", "-tp", **parallel_kwargs["tensor_parallel_size"])
        group.add_argument("--data-parallel-backend", **parallel_kwargs["data_parallel_backend"])
        backend_kwargs = parallel_kwargs["eplb_config"]
        group.add_argument("--eplb-config", **backend_kwargs)
        vllm_kwargs = get_kwargs(VllmConfig)
        vllm_kwargs["speculative_config"]["type"] = optional_type(json.loads)
        group.add_argument("--speculative-config", "-sc", **vllm_kwargs["speculative_config"])
        parser.add_argument("--disable-log-stats", action="store_true", help="x")
        return parser

class AsyncEngineArgs(EngineArgs):
    @staticmethod
    def add_cli_args(parser):
        parser = EngineArgs.add_cli_args(parser)
        parser.add_argument("--enable-log-requests", action=argparse.BooleanOptionalAction, default=False)
        return parser
""",
    "vllm/entrypoints/cli_args.py": """
from vllm.engine.arg_utils import AsyncEngineArgs

@config
class BaseFrontendArgs:
    origins: list[str] = field(default_factory=list)

    @classmethod
    def _customize_cli_kwargs(cls, frontend_kwargs):
        frontend_kwargs["origins"]["type"] = json.loads
        del frontend_kwargs["origins"]["nargs"]
        return frontend_kwargs

    @classmethod
    def add_cli_args(cls, parser):
        frontend_kwargs = get_kwargs(cls)
        for key, value in frontend_kwargs.items():
            parser.add_argument(f"--{key}", **value)
        return parser

@config
class FrontendArgs(BaseFrontendArgs):
    root_path: str | None = None

def make_arg_parser(parser):
    parser.add_argument("model_tag", nargs="?")
    parser.add_argument("--api-server-count", "-asc", type=int, default=None)
    parser = FrontendArgs.add_cli_args(parser)
    parser = AsyncEngineArgs.add_cli_args(parser)
    return parser
""",
    "vllm/tool_parsers/__init__.py": '_TOOL_PARSERS_TO_REGISTER = {"hermes": ("a", "b"), "granite": ("a", "b")}\n',
    "vllm/reasoning/__init__.py": '_REASONING_PARSERS_TO_REGISTER: dict = {"qwen3": ("a", "b")}\n',
    "vllm/model_executor/model_loader/__init__.py": '_LOAD_FORMAT_TO_MODEL_LOADER: dict = {"auto": 1, "pt": 2}\n',
    "vllm/distributed/kv_transfer/kv_connector/factory.py": 'F.register_connector(\n    "NixlConnector", "m", "c")\n',
    "vllm/v1/metrics/loggers.py": 'gauge(name="vllm:num_requests_waiting")\n',
    "vllm-9.8.7.dist-info/METADATA": "Metadata-Version: 2.1\nName: vllm\nVersion: 9.8.7\n",
}


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    return written(tmp_path)


def written(folder: Path) -> Path:
    """A wheel of a few lines."""
    path = folder / "vllm-9.8.7-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in FILES.items():
            archive.writestr(name, text)
    return path


def row(nargs: int | str | None, choices: list[str] | None, kind: str, default: str) -> dict:
    return {"nargs": nargs, "choices": choices, "type": kind, "default": default}


def test_every_argument_of_the_parser_is_found_as_argparse_would_have_it(wheel: Path) -> None:
    hidden = row(0, None, "None", "==SUPPRESS==")
    assert table(wheel)["rows"] == {
        "--help": hidden,
        "-h": hidden,
        "--api-server-count": row(None, None, "int", "None"),
        "-asc": row(None, None, "int", "None"),
        "--origins": row(None, None, "loads", "[]"),
        "--root-path": row(None, None, "_optional_type", "None"),
        "--model": row(None, None, "str", "a/b"),
        "--dtype": row(None, ["auto", "half"], "str", "auto"),
        "--max-model-len": row(None, None, "human_readable_int_or_auto", "None"),
        "--batched": row(None, None, "_optional_type", "None"),
        "--enforce-eager": row(0, None, "None", "None"),
        "--no-enforce-eager": row(0, None, "None", "None"),
        "--names": row("+", None, "_optional_type", "None"),
        "--overrides": row(None, None, "_parse_type", "{}"),
        "--hf-token": row("?", None, "str", "None"),
        "--log-level": row(None, ["INFO", "DEBUG"], "None", "==SUPPRESS=="),
        "--all2all": row(None, ["naive", "pplx"], "str", "naive"),
        "--tensor-parallel-size": row(None, None, "int", "1"),
        "-tp": row(None, None, "int", "1"),
        "--data-parallel-backend": row(None, ["mp", "ray", "None"], "_optional_type", "None"),
        "--eplb-config": row(None, None, "parse_dataclass", "EPLBConfig()"),
        "--speculative-config": row(None, None, "_optional_type", "None"),
        "-sc": row(None, None, "_optional_type", "None"),
        "--disable-log-stats": row(0, None, "None", "False"),
        "--enable-log-requests": row(0, None, "None", "False"),
        "--no-enable-log-requests": row(0, None, "None", "False"),
    }


def test_what_the_parser_leaves_to_the_engine_is_found_too(wheel: Path) -> None:
    found = table(wheel)
    assert found["keys"] == {
        "--eplb-config": {"policy": ["default"], "window_size": None},
        "--kv-transfer-config": {"kv_connector": None, "kv_role": ["kv_both"]},
        "--speculative-config": {"kv_connector": None, "kv_role": ["kv_both"]},
    }
    assert found["names"] == {
        "--load-format": ["auto", "pt"],
        "--reasoning-parser": ["qwen3"],
        "--tool-call-parser": ["granite", "hermes"],
    }
    assert (found["connectors"], found["metrics"]) == (["NixlConnector"], ["vllm:num_requests_waiting"])
    assert "9.8.7" in found["source"]


def test_flags_come_in_pairs_where_the_release_pairs_them(wheel: Path, tmp_path: Path) -> None:
    folder = tmp_path / "unpacked"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    (folder / "vllm/utils/argparse_utils.py").write_text(
        "class EnableDisableAction(BooleanOptionalAction):\n    pass\n"
    )
    found = table(folder)["rows"]
    assert {"--enable-log-requests", "--disable-log-requests", "--no-enforce-eager"} <= found.keys()
    assert "--no-enable-log-requests" not in found


def test_the_command_prints_the_table_one_row_a_line(wheel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(wheel)]) == 0
    printed = capsys.readouterr().out
    assert json.loads(printed) == table(wheel)
    assert (
        '\n    "--dtype": {"nargs": null, "choices": ["auto", "half"], "type": "str", "default": "auto"},\n' in printed
    )
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err


def test_sources_of_another_form_are_refused(wheel: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no package vllm"):
        table(tmp_path)
    other = tmp_path / "other.whl"
    changed = FILES | {
        "vllm/engine/arg_utils.py": FILES["vllm/engine/arg_utils.py"].replace(
            '"--dtype", **model_kwargs["dtype"]', '"--dtype", **somewhere_else()'
        )
    }
    with zipfile.ZipFile(other, "w") as archive:
        for name, text in changed.items():
            archive.writestr(name, text)
    with pytest.raises(ValueError, match=r"somewhere_else\(\) isn't understood"):
        table(other)


def test_names_are_followed_through_imports(wheel: Path) -> None:
    source = WheelSource(wheel, "vllm")
    place = source.resolve("vllm.engine.arg_utils", "LogLevel")
    assert place is not None
    assert place[0] == "vllm.config.types"
    assert source.resolve("vllm.engine.arg_utils", "Unheard") is None
    with pytest.raises(ValueError, match="stands in 0 files"):
        source.find("class Unheard")


def test_a_real_wheel_gives_the_shipped_table() -> None:
    """Names, values and types all agree; defaults of nested classes are only named, and a repair differs from its parser."""
    given = os.environ.get("LLM_SERVING_VLLM_WHEEL")
    if not given:
        pytest.skip("LLM_SERVING_VLLM_WHEEL names no wheel (pip download --no-deps vllm==0.33.0)")
    found = table(Path(given))
    version = found["source"].split("wheel vllm ")[1].split()[0]
    shipped = rows.load(f"vllm_options_{version}.json")
    assert found["rows"].keys() == shipped["rows"].keys()
    explained = {*shipped["repairs"], "--collect-detailed-traces"}
    for name, expected in shipped["rows"].items():
        checked = ("nargs", "type") if name in explained else ("nargs", "type", "choices")
        assert {key: found["rows"][name][key] for key in checked} == {key: expected[key] for key in checked}, name
    for key in ("keys", "names", "connectors", "metrics"):
        assert found[key] == shipped[key]
