"""What every engine of the union must be: an engine that lacks a fact, a table or a mount fails here."""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import PurePosixPath
from types import UnionType
from typing import Any, ClassVar, Literal, Union, get_args, get_origin

import kubernetes_validate
import pytest

from catalog.gpus import gpus
from catalog.models import find
from catalog.options import options, versions
from components import pods
from components.engines.base import Argument, Engine, Launch, Parallelism
from components.engines.union import AnyEngine
from components.resolved import Workload
from preflight.check import check
from stacks.resolve import resolve
from tests.preflight.case import inputs

MODEL = "meta-llama/Llama-3.1-8B-Instruct"
OFFICIAL_IMAGES = {"tgi": ["ENG050"]}
"""Rules that refuse an engine's own image as it is: there its own must be named."""
KEPT = frozenset(Engine.model_fields) | {"name"}


def members(union: Any) -> tuple[type[Engine], ...]:
    """The classes of the union; of a single class too."""
    found = get_args(union)[0] if get_origin(union) not in (Union, UnionType, None) else union
    return get_args(found) or (found,)


ENGINES = members(AnyEngine)


def engine_name(engine: type[Engine]) -> str:
    """The engine's name in the stack file."""
    return get_args(engine.model_fields["name"].annotation)[0]


def missing(engine: type[Engine]) -> list[str]:
    """What a class lacks of the facts that pods, checks and tables need."""
    return list(_missing(engine))


def _missing(engine: type[Engine]) -> Iterator[str]:
    for fact, kind in (("REPOSITORY", str), ("PORT", int), ("HEALTH_PATH", str), ("METRICS_PATH", str), ("USER", int)):
        if not isinstance(getattr(engine, fact, None), kind):
            yield fact
    if not isinstance(getattr(engine, "DRAINS", None), bool):
        yield "DRAINS"
    if not 1024 < getattr(engine, "PORT", 0) < 65536:
        yield "PORT above 1024"
    if getattr(engine, "USER", 0) < 1:
        yield "USER without root"
    for fact in ("HEALTH_PATH", "METRICS_PATH"):
        if not getattr(engine, fact, "").startswith("/"):
            yield f"{fact} from the root"
    if not all(PurePosixPath(path).is_absolute() for path in engine.WRITABLE_PATHS):
        yield "WRITABLE_PATHS from the root"
    if not versions(engine_name(engine)):
        yield "option table"
    keys = {engine.key_name(name) for name in set(engine.model_fields) - KEPT}
    if not set(engine.PARALLEL_KEYS.values()) <= keys:
        yield "keys of PARALLEL_KEYS"
    if not all(_described(engine, name) for name in set(engine.model_fields) - KEPT):
        yield "description of every option"


def _described(engine: type[Engine], name: str) -> bool:
    """A docstring below the field, which the JSON Schema has as its description."""
    owner = next(cls for cls in engine.__mro__ if name in vars(cls).get("__annotations__", {}))
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(owner))).body
    assert isinstance(tree, ast.ClassDef)
    body = tree.body
    fields = [one for one in body if isinstance(one, ast.AnnAssign) and ast.unparse(one.target) == name]
    after = body[body.index(fields[0]) + 1 :][:1]
    return bool(after) and isinstance(after[0], ast.Expr) and isinstance(after[0].value, ast.Constant)


def served(engine: type[Engine], **options: Any) -> Workload:
    """A workload with the engine's newest known release and no other option than those given."""
    name = engine_name(engine)
    given = {"name": name, "version": versions(name)[-1], "maxModelLen": None, **options}
    return resolve(inputs({"workloads": {"chat": {"engine": given}}})).workloads["chat"]


@pytest.fixture(params=ENGINES, ids=[engine_name(engine) for engine in ENGINES])
def engine(request: pytest.FixtureRequest) -> type[Engine]:
    return request.param


def test_the_union_has_the_five_engines() -> None:
    assert {engine_name(engine) for engine in ENGINES} == {"vllm", "tgi", "tensorrt-llm", "sglang", "huggingface"}


def test_an_engine_lacks_nothing(engine: type[Engine]) -> None:
    assert missing(engine) == []


def test_an_engine_without_the_facts_is_found_out() -> None:
    class Bare(Engine):
        name: Literal["bare"]
        undescribed: int | None = None
        PORT: ClassVar[int] = 80
        WRITABLE_PATHS: ClassVar[tuple[str, ...]] = ("data",)

        @property
        def tag(self) -> str:
            return self.version

        def parallelism(self) -> Parallelism:
            return Parallelism()

        def arguments(self, launch: Launch, overrides: Any = None) -> tuple[Argument, ...]:
            return ()

        def environment(self, launch: Launch) -> dict[str, str]:
            return {}

        def client_model(self, launch: Launch) -> str:
            return ""

    assert set(missing(Bare)) == {
        "REPOSITORY",
        "HEALTH_PATH",
        "METRICS_PATH",
        "USER",
        "DRAINS",
        "PORT above 1024",
        "USER without root",
        "HEALTH_PATH from the root",
        "METRICS_PATH from the root",
        "WRITABLE_PATHS from the root",
        "option table",
        "keys of PARALLEL_KEYS",
        "description of every option",
    }


def test_the_image_has_the_release_as_its_tag(engine: type[Engine]) -> None:
    workload = served(engine)
    image, _, tag = workload.engine.image_reference().rpartition(":")
    assert image == engine.REPOSITORY
    assert workload.engine.version in tag
    assert served(engine, image="registry.internal/own").engine.image_reference() == f"registry.internal/own:{tag}"


def test_arguments_are_the_same_every_time_and_options_of_the_release(engine: type[Engine]) -> None:
    workload = served(engine)
    table = options(engine_name(engine), workload.engine.version)
    assert list(workload.args) == workload.engine.args(workload.launch) == list(served(engine).args)
    named = [argument for argument in workload.engine.arguments(workload.launch) if argument.option]
    assert {argument.option for argument in named} <= set(table)
    assert len({argument.option for argument in named}) == len(named)
    assert workload.engine.files(workload.launch) == served(engine).engine.files(workload.launch)


def test_the_server_listens_where_service_and_probes_look(engine: type[Engine]) -> None:
    workload = served(engine)
    container = pods.pod_spec(workload)["containers"][0]
    assert any(re.fullmatch(rf"--(http_)?port={engine.PORT}", word) for word in workload.args)
    assert container["ports"][0]["containerPort"] == engine.PORT
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"] == {
            "path": workload.engine.health_path(workload.launch),
            "port": pods.PORT_NAME,
        }


def test_the_model_is_among_the_arguments_and_files(engine: type[Engine]) -> None:
    workload = served(engine)
    assert any(word == workload.launch.model or word.endswith(f"={workload.launch.model}") for word in workload.args)
    assert workload.engine.client_model(workload.launch)


def test_tensor_parallelism_is_a_key_that_reaches_the_gpus(engine: type[Engine]) -> None:
    workload = served(engine, **{engine.PARALLEL_KEYS["tensor"]: 2})
    assert workload.parallelism.tensor == 2
    assert workload.resources.gpus == 2
    assert served(engine).resources.gpus == 1


def test_running_requests_get_their_time_before_the_kill(engine: type[Engine]) -> None:
    drain = served(engine).drain
    assert drain.pre_stop + drain.shutdown < drain.grace
    assert (drain.shutdown > 0) == engine.DRAINS


def test_memory_is_an_estimate_or_unknown_for_every_gpu(engine: type[Engine]) -> None:
    instance = served(engine).engine
    shape = find(MODEL)
    assert shape is not None
    for gpu in gpus().values():
        found = instance.memory(shape, gpu, None)
        assert found is None or found.weights_gib > 0


def test_a_pod_is_what_the_api_server_takes(engine: type[Engine]) -> None:
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "chat"}, "spec": pods.pod_spec(served(engine))}
    kubernetes_validate.validate(pod, "1.34", strict=True)


def test_a_pod_has_no_root_and_writes_only_to_its_mounts(engine: type[Engine]) -> None:
    workload = served(engine)
    spec = pods.pod_spec(workload)
    container = spec["containers"][0]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["runAsUser"] == engine.USER
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    mounts = {mount["mountPath"]: mount.get("readOnly", False) for mount in container["volumeMounts"]}
    assert {name for name, read_only in mounts.items() if not read_only} == {
        "/cache",
        "/tmp",
        "/dev/shm",
        *engine.WRITABLE_PATHS,
    }
    for path in _paths(workload.engine.environment(workload.launch)):
        assert _mounted(path, [name for name, read_only in mounts.items() if not read_only]), path
    for path in _paths({word: word.partition("=")[2] for word in workload.args}):
        assert _mounted(path, list(mounts)), path


def _paths(values: dict[str, str]) -> list[str]:
    return [value for value in values.values() if value.startswith("/")]


def _mounted(path: str, mounts: list[str]) -> bool:
    return any(PurePosixPath(path).is_relative_to(mount) for mount in mounts)


def test_the_smallest_workload_passes_every_check(engine: type[Engine]) -> None:
    name = engine_name(engine)
    given = inputs(
        {"workloads": {"chat": {"engine": {"name": name, "version": versions(name)[-1], "maxModelLen": None}}}}
    )
    found = [one for one in check(given, resolve(given)) if one.severity == "error"]
    assert [one.code for one in found] == OFFICIAL_IMAGES.get(name, [])
