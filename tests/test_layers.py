"""The borders between the packages, as rules that run: who imports whom, what is free of Pulumi, how long a file is."""

import ast
import importlib.metadata
import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("catalog", "components", "stacks", "preflight", "preview", "status", "policies")
MAX_LINES = 249


@dataclass(frozen=True)
class Layer:
    """Files that share one set of allowed imports. The first layer with a matching pattern has the file."""

    name: str
    files: tuple[str, ...]
    uses: tuple[str, ...] = ()
    """Layers that its files may import, beside each other."""
    apart: bool = False
    """Its files may not import each other."""
    pulumi: bool = False
    """Importing it may load Pulumi."""


LAYERS = (
    Layer("catalog", ("catalog/*",)),
    Layer(
        "pure components",
        (
            "components/engines/*",
            "components/spec.py",
            "components/resolved.py",
            "components/infrastructure.py",
            "components/pods.py",
            "components/pod_volumes.py",
            "components/resolved_groups.py",
            "components/resolved_operator.py",
            "components/resolved_ray.py",
            "components/ray_*.py",
            "components/serving_objects.py",
            "components/leader_worker_set_spec.py",
            "components/efa.py",
            "components/autoscaler_tags.py",
            "components/download_job.py",
            "components/network_policy.py",
            "components/device_plugin_values.py",
            "components/kserve_spec.py",
            "components/local_model_spec.py",
            "components/local_model_wait.py",
            "components/node_user_data.py",
            "components/kserve_llm_spec.py",
            "components/kserve_prefill_spec.py",
            "components/kserve_worker.py",
            "components/resolved_kserve.py",
            "components/service_address.py",
        ),
        uses=("catalog",),
    ),
    Layer("component parts", ("components/surroundings.py",), uses=("catalog", "pure components"), pulumi=True),
    Layer(
        "component resources",
        ("components/*",),
        uses=("catalog", "pure components", "component parts"),
        apart=True,
        pulumi=True,
    ),
    Layer(
        "deployment",
        ("stacks/deploy*.py",),
        uses=("catalog", "pure components", "component resources", "stacks"),
        pulumi=True,
    ),
    Layer(
        "engine's stack",
        ("stacks/current.py",),
        uses=("catalog", "pure components", "stacks", "preflight"),
        pulumi=True,
    ),
    Layer("stacks", ("stacks/*",), uses=("catalog", "pure components")),
    Layer("preflight", ("preflight/*",), uses=("catalog", "pure components", "stacks")),
    Layer("program", ("__main__.py",), uses=("deployment", "engine's stack"), pulumi=True),
    Layer(
        "preview",
        ("preview/*",),
        uses=("catalog", "pure components", "stacks", "preflight", "deployment"),
        pulumi=True,
    ),
    Layer("policies", ("policies/*",), uses=("catalog", "pure components", "stacks", "preflight"), pulumi=True),
    Layer("status", ("status/*",), uses=("pure components", "stacks")),
    Layer(
        "cli",
        ("cli.py",),
        uses=("catalog", "pure components", "stacks", "preflight", "preview", "deployment", "status"),
    ),
)

# Distributions whose modules come with a declared one and are part of how it is used.
COMPANIONS = {
    "pydantic-core": "the error types of pydantic's validators",
    "annotated-types": "the constraints of pydantic's fields",
    "protobuf": "the Pulumi SDK's requests",
    "grpcio": "the Pulumi SDK's requests",
}


@cache
def _product_files() -> tuple[Path, ...]:
    found = [*ROOT.glob("*.py"), *(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))]
    relative = (path.relative_to(ROOT) for path in found)
    return tuple(sorted(path for path in relative if not any(part.startswith(".") for part in path.parts)))


def _dotted(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def _modules() -> dict[str, Path]:
    """Module name -> file, without the (empty) packages themselves."""
    return {_dotted(path): path for path in _product_files() if path.name != "__init__.py"}


def _none_of(offences: Iterable[object]) -> None:
    lines = [str(one) for one in offences]
    assert not lines, "\n".join(["", *lines])


def _layer(path: Path) -> Layer | None:
    return next((one for one in LAYERS if any(fnmatchcase(path.as_posix(), pattern) for pattern in one.files)), None)


@dataclass(frozen=True)
class Import:
    file: Path
    line: int
    module: str
    top_level: bool
    """It runs when the file is imported: not inside a function, not under `if TYPE_CHECKING`."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.module}"


def _is_type_checking(test: ast.expr) -> bool:
    return (isinstance(test, ast.Name) and test.id == "TYPE_CHECKING") or (
        isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING"
    )


def _import_nodes(node: ast.AST, top_level: bool = True) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, top_level
        elif isinstance(child, ast.If) and _is_type_checking(child.test):
            for statement in child.body:
                yield from _import_nodes(ast.Module([statement], []), False)
            for statement in child.orelse:
                yield from _import_nodes(ast.Module([statement], []), top_level)
        else:
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _import_nodes(child, top_level and not inside)


def _imports_of(source: str, file: Path, modules: Mapping[str, Path]) -> Iterator[Import]:
    for node, top_level in _import_nodes(ast.parse(source, str(file))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            assert node.level == 0, f"{file}:{node.lineno}: a relative import; write the whole name"
            base = node.module or ""
            names = [full if (full := f"{base}.{alias.name}") in modules else base for alias in node.names]
        for name in dict.fromkeys(names):
            yield Import(file, node.lineno, name, top_level)


@cache
def _imports() -> tuple[Import, ...]:
    return tuple(
        one for path in _product_files() for one in _imports_of((ROOT / path).read_text("utf-8"), path, _modules())
    )


def _refusal(one: Import, modules: Mapping[str, Path]) -> str | None:
    """Why an import breaks the direction, or None."""
    target_file = modules.get(one.module)
    source = _layer(one.file)
    target = _layer(target_file) if target_file else None
    if source is None or target is None or target_file == one.file:
        return None
    if source is target:
        return f"{one}: files of the layer “{source.name}” may not import each other" if source.apart else None
    if target.name in source.uses:
        return None
    return f"{one}: “{source.name}” may not import “{target.name}”"


# Runs in a fresh interpreter: imports every module named on the command line and reports which of them asked for
# Pulumi. The answer to that request is a refusal, so that each offender is found and not only the first.
PROBE = """
import importlib, json, sys

asked = []

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0].startswith("pulumi"):
            frame = sys._getframe(1)
            while "importlib" in frame.f_code.co_filename:
                frame = frame.f_back
            asked.append(f"{frame.f_code.co_filename}:{frame.f_lineno} imports {name}")
            raise ImportError(name)

sys.meta_path.insert(0, Refuse())
report = {}
for module in sys.argv[1:]:
    asked.clear()
    try:
        importlib.import_module(module)
    except Exception as error:
        if not asked:
            asked.append(f"{type(error).__name__}: {error}")
    if asked:
        report[module] = list(asked)
print(json.dumps(report))
"""


def _probe(modules: list[str], folder: Path) -> dict[str, list[str]]:
    run = subprocess.run(
        [sys.executable, "-c", PROBE, *modules], cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_importing_a_pure_module_in_a_fresh_interpreter_does_not_load_pulumi() -> None:
    pure = [name for name, path in _modules().items() if (layer := _layer(path)) and not layer.pulumi]
    assert pure
    _none_of(f"{module}: {'; '.join(asked)}" for module, asked in _probe(pure, ROOT).items())


def test_the_probe_finds_a_direct_and_an_indirect_import_of_pulumi(tmp_path: Path) -> None:
    (tmp_path / "clean.py").write_text("import json\n")
    (tmp_path / "direct.py").write_text("import pulumi_aws\n")
    (tmp_path / "indirect.py").write_text("import clean\nimport direct\n")
    (tmp_path / "hidden.py").write_text("try:\n    import pulumi\nexcept ImportError:\n    pass\n")
    (tmp_path / "lazy.py").write_text("def run():\n    import pulumi\n")
    (tmp_path / "broken.py").write_text("import clean.nothing\n")
    report = _probe(["clean", "indirect", "direct", "hidden", "lazy", "broken"], tmp_path)
    assert set(report) == {"indirect", "direct", "hidden", "broken"}
    assert report["indirect"] == [f"{tmp_path / 'direct.py'}:1 imports pulumi_aws"]


def test_every_product_file_belongs_to_a_layer() -> None:
    _none_of(path for path in _modules().values() if _layer(path) is None)


def test_imports_point_one_way() -> None:
    _none_of(refused for one in _imports() if (refused := _refusal(one, _modules())))


@pytest.mark.parametrize(
    ("file", "statement", "refused"),
    [
        ("catalog/a.py", "from components.spec import Spec", True),
        ("components/pods.py", "from catalog import gpus", False),
        ("components/pods.py", "from components import model_volume", True),
        ("components/model_volume.py", "from components.pods import pod_spec", False),
        ("components/model_volume.py", "import components.model_deployment", True),
        ("components/model_volume.py", "def f():\n    from stacks import config", True),
        ("components/model_volume.py", "from preflight import check", True),
        ("stacks/config.py", "from components.spec import Spec", False),
        ("stacks/config.py", "from components.model_volume import ModelVolume", True),
        ("stacks/deploy.py", "from components.model_volume import ModelVolume", False),
        ("stacks/deploy.py", "from preflight.check import check", True),
        ("preflight/check.py", "from components.model_volume import ModelVolume", True),
        ("preflight/check.py", "from preview import run", True),
        ("preview/run.py", "from components.model_volume import ModelVolume", True),
        ("cli.py", "from preflight.check import check", False),
        ("__main__.py", "from components.model_volume import ModelVolume", True),
    ],
)
def test_the_direction_rule_tells_right_from_wrong(file: str, statement: str, refused: bool) -> None:
    names = "catalog.gpus components.spec components.pods components.model_volume components.model_deployment"
    names += " stacks.config stacks.deploy preflight.check preview.run"
    modules: dict[str, Path] = {name: Path(name.replace(".", "/") + ".py") for name in names.split()}
    found = [_refusal(one, modules) for one in _imports_of(statement, Path(file), modules)]
    assert [bool(one) for one in found] == [refused]


def test_a_file_of_components_without_pulumi_is_listed_as_pure() -> None:
    """Otherwise nothing would keep it free of Pulumi."""
    acting = {one.file for one in _imports() if one.module.startswith("pulumi")}
    resources = [
        path for path in _modules().values() if (layer := _layer(path)) and layer.name == "component resources"
    ]
    _none_of(f"{path}: list it under “pure components” above" for path in resources if path not in acting)


def test_the_command_line_loads_the_preview_only_when_a_command_needs_it() -> None:
    eager = [one for one in _imports() if one.file == Path("cli.py") and one.top_level]
    _none_of(one for one in eager if one.module.partition(".")[0] in {"preview", "policies"})


def test_product_code_imports_only_the_declared_dependencies() -> None:
    """The test environment has more packages than a user's."""
    lines = (ROOT / "requirements.in").read_text("utf-8").splitlines()
    declared = {re.split(r"[^\w.-]", line)[0].lower() for line in lines if line and not line.startswith("#")}
    providers = importlib.metadata.packages_distributions()
    own = {*PACKAGES, "cli"}
    foreign = []
    for one in _imports():
        top = one.module.partition(".")[0]
        if top in own or top in sys.stdlib_module_names:
            continue
        if one.file.parts[0] == "policies" and top == "pulumi_policy":
            continue
        names = {name.lower().replace("_", "-") for name in providers.get(top, ())}
        if not names & (declared | set(COMPANIONS)):
            foreign.append(str(one))
    _none_of(foreign)


def _committed() -> list[Path]:
    """Every file that git tracks, or would once it is added."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout: which files are committed is unknown")
    return sorted(path for name in listed.split("\0") if name and (ROOT / (path := Path(name))).is_file())


def test_every_package_init_is_empty() -> None:
    inits = [path for path in _product_files() if path.name == "__init__.py"]
    _none_of(path for path in inits if (ROOT / path).read_bytes())
    folders = {path.parent for path in _product_files() if len(path.parts) > 1}
    assert folders == {path.parent for path in inits}


def test_product_files_stay_small() -> None:
    lengths = {path: len((ROOT / path).read_text("utf-8").splitlines()) for path in _product_files()}
    _none_of(f"{path}: {lines} lines" for path, lines in lengths.items() if lines > MAX_LINES)


# Container paths such as /tmp or /root/.cache are not a machine's; the folders of a developer or of a CI runner are.
PERSONAL = re.compile(r"(?<![\w.:/-])/(?:work/|Users/\w|root/(?!\.cache\b)|tmp/(?:bash_jobs|pytest-of-|brief))")
INDEX = re.compile(
    r"pypi\.org/simple|files\.pythonhosted\.org|--(?:extra-)?index-url|--find[-]links|registry\.npmjs\.org"
)


def _machine_paths(text: str) -> list[str]:
    here = [str(ROOT), str(Path.home()) if len(Path.home().parts) > 2 else str(ROOT)]
    found = [match.group() for match in PERSONAL.finditer(text)]
    return found + [f"{path}/" for path in dict.fromkeys(here) if f"{path}/" in text]


def test_committed_files_name_no_machine_path_and_no_package_index() -> None:
    found = []
    for path in _committed():
        try:
            text = (ROOT / path).read_text("utf-8")
        except UnicodeDecodeError:
            continue
        found += [f"{path}: {hit}" for hit in [*_machine_paths(text), *INDEX.findall(text)]]
    _none_of(found)


@pytest.mark.parametrize(
    ("text", "hits"),
    [
        ("see " + "/work" + "/main/cli.py", 1),
        ("/Users" + "/jo/code", 1),
        ("HF_HOME=/root/.cache/huggingface, TMPDIR=/tmp, /workspace/model, https://a.b/work/x", 0),
    ],
)
def test_the_path_rule_tells_a_machine_from_a_container(text: str, hits: int) -> None:
    assert len(PERSONAL.findall(text)) == hits
