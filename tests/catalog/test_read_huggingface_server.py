"""The table of KServe's Hugging Face runtime: of a wheel and sources of a few lines, and, where they are at hand, of the real ones."""

import json
import os
from pathlib import Path

import pytest

from catalog import rows
from catalog.read_huggingface_server import main, runtime_table
from tests.catalog.test_read_vllm_wheel import row, written

FILES = {
    "python/huggingface_server.Dockerfile": "FROM x\nARG VLLM_VERSION=9.8.7\n",
    "python/huggingfaceserver/pyproject.toml": '[project]\nname = "huggingfaceserver"\nversion = "1.2.3"\n',
    "python/kserve/kserve/model_server.py": """
parser.add_argument("--http_port", default=DEFAULT_HTTP_PORT, type=int, help="x")
parser.add_argument("--enable_grpc", default=True, type=lambda x: utils.strtobool(x))
parser.add_argument("--event-loop", default="auto", type=str, choices=["auto", "uvloop"])
""",
    "python/huggingfaceserver/huggingfaceserver/__main__.py": """
parser.add_argument("--model_dir", required=False, default="/mnt/models")
parser.add_argument("--disable_log_requests", action="store_true")
if other_backend:
    parser.add_argument("--task", help="not for vLLM")
print(args.model_dir)
""",
    "python/huggingfaceserver/huggingfaceserver/vllm/vllm_model.py": """
class VLLMModel:
    def start(self):
        return getattr(self.args, "origins", True)
""",
}


@pytest.fixture
def kserve(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        file = tmp_path / "kserve" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return tmp_path / "kserve"


def test_options_of_vllms_server_are_there_only_where_the_runtime_reads_them(kserve: Path, tmp_path: Path) -> None:
    found = runtime_table(written(tmp_path), kserve)["rows"]
    assert "--origins" in found
    assert not {"--root-path", "--api-server-count", "-asc"} & set(found)
    assert {"--max-model-len", "--tensor-parallel-size", "--no-enable-log-requests", "-h"} <= set(found)


def test_options_of_the_runtime_are_added_but_for_those_of_another_backend(kserve: Path, tmp_path: Path) -> None:
    found = runtime_table(written(tmp_path), kserve)
    assert {name: found["rows"][name] for name in ("--http_port", "--enable_grpc", "--event-loop", "--model_dir")} == {
        "--http_port": row(None, None, "int", "DEFAULT_HTTP_PORT"),
        "--enable_grpc": row(None, None, "<lambda>", "True"),
        "--event-loop": row(None, ["auto", "uvloop"], "str", "auto"),
        "--model_dir": row(None, None, "None", "/mnt/models"),
    }
    assert found["rows"]["--disable_log_requests"] == row(0, None, "None", "False")
    assert "--task" not in found["rows"]
    assert found["vllm"] == "9.8.7"


def test_the_command_prints_the_table(kserve: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wheel = written(tmp_path)
    assert main([str(wheel), str(kserve)]) == 0
    assert json.loads(capsys.readouterr().out) == runtime_table(wheel, kserve)
    assert main([]) == 2


def test_another_vllm_than_that_of_the_image_is_refused(
    kserve: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (kserve / "python/huggingface_server.Dockerfile").write_text("ARG VLLM_VERSION=1.0.0\n")
    assert main([str(written(tmp_path)), str(kserve)]) == 1
    assert "the wheel is vLLM 9.8.7, and the image has 1.0.0" in capsys.readouterr().err


def test_the_real_sources_give_the_shipped_table() -> None:
    given = os.environ.get("LLM_SERVING_HUGGINGFACE_SOURCES", "").split(os.pathsep)
    if len(given) != 2:
        pytest.skip(
            "LLM_SERVING_HUGGINGFACE_SOURCES names no wheel and checkout (vllm-0.24.0-*.whl:kserve, at KServe's tag v0.20.0)"
        )
    found = runtime_table(Path(given[0]), Path(given[1]))
    shipped = rows.load("huggingface_options_0.20.0.json")
    assert {**found, "date": shipped["date"]} == shipped
