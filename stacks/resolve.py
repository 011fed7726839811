"""From a validated stack file and the catalogue to the resolved stack, once. Pure: files that it needs are read by the loader."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from catalog.gpus import gpus
from catalog.instances import instances
from catalog.mig import slice_gib
from catalog.models import models as architectures
from components.engines.base import Launch, Referenced
from components.infrastructure import NodeGroup, Volume
from components.resolved import AwsRole, Model, Stack, TokenSource, Workload
from stacks import (
    resolve_cluster,
    resolve_kinds,
    resolve_local_models,
    resolve_models,
    resolve_nodes,
    resolve_pods,
    resolve_prefill,
)
from stacks.config import StackConfig
from stacks.node_groups import EksNodeGroup
from stacks.overrides import gpu_rows, instance_rows, model_rows, option_rows, price_rows
from stacks.volumes import ExistingClaimVolume
from stacks.workloads import Workload as WorkloadSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """A stack's configuration with everything around it that matters."""

    config: StackConfig
    name: str
    region: str | None = None
    """`aws:region` of the stack file."""
    config_files: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Content of each `models.*.config` file, by its path."""
    infrastructure: StackConfig | None = None
    """The stack that `cluster.stackReference` names."""


def resolve(inputs: Inputs) -> Stack:
    """The resolved stack. References must exist (`stacks.references` checks them before)."""
    config = inputs.config
    nodes = _node_groups(inputs)
    shapes = architectures(model_rows(config.catalog))
    claims = {
        **({} if inputs.infrastructure is None else inputs.infrastructure.volumes),
        **config.volumes,
    }
    models = {
        name: resolve_models.model(
            name,
            spec,
            architectures=shapes,
            config_file=inputs.config_files.get(spec.config) if spec.config else None,
            in_claim=isinstance(claims.get(spec.volume or ""), ExistingClaimVolume),
        )
        for name, spec in config.models.items()
    }
    volumes = {
        name: resolve_models.volume(
            name,
            spec,
            namespace=config.namespace.name,
            created=name in config.volumes,
            models=[one for one in models.values() if one.volume == name],
            readers=[
                nodes[one.node_group]
                for one in config.workloads.values()
                if models[one.model].volume == name and one.node_group in nodes
            ],
            image=config.platform.model_download_image,
        )
        for name, spec in claims.items()
    }
    token = resolve_cluster.token(config)
    tables = option_rows(config.catalog)
    return Stack(
        name=inputs.name,
        namespace=config.namespace.name,
        create_namespace=config.namespace.create,
        cluster=resolve_cluster.cluster(config, inputs.infrastructure, inputs.region),
        token=token,
        device_plugin=resolve_cluster.device_plugin(config),
        node_groups=nodes,
        volumes=volumes,
        models=models,
        workloads={
            name: _workload(name, spec, config.namespace.name, nodes, models, volumes, token, tables)
            for name, spec in config.workloads.items()
        },
        option_rows=tables,
        operators=config.platform.operators(),
        max_usd_per_hour=config.cost.max_usd_per_hour,
        referenced_device_plugin=bool(inputs.infrastructure and inputs.infrastructure.platform.nvidia_device_plugin),
    )


def _node_groups(inputs: Inputs) -> dict[str, NodeGroup]:
    rows = inputs.config.catalog
    found: dict[str, NodeGroup] = {}
    sources = (
        [(inputs.config, True)]
        if inputs.infrastructure is None
        else [(inputs.infrastructure, False), (inputs.config, True)]
    )
    known_gpus, types, prices = gpus(gpu_rows(rows)), instances(instance_rows(rows)), price_rows(rows)
    caching = resolve_local_models.caching_groups(inputs.config)
    for source, created in sources:
        for name, spec in source.node_groups.items():
            if isinstance(spec, EksNodeGroup):
                found[name] = resolve_nodes.eks_group(
                    name, spec, gpus=known_gpus, types=types, prices=prices, region=inputs.region, created=created
                )
            else:
                found[name] = resolve_nodes.existing_group(
                    name, spec, gpus=known_gpus, types=types, prices=prices, region=inputs.region
                )
            if name in caching:
                found[name] = resolve_local_models.caching(found[name])
    return found


def _workload(
    name: str,
    spec: WorkloadSpec,
    namespace: str,
    nodes: Mapping[str, NodeGroup],
    models: Mapping[str, Model],
    volumes: Mapping[str, Volume],
    token: TokenSource | None,
    tables: Mapping[str, Mapping[str, Any]],
) -> Workload:
    model, group = models[spec.model], nodes[spec.node_group]
    volume = volumes[model.volume] if model.volume else None
    parallelism = spec.engine.parallelism()
    group_size = resolve_kinds.group_size(spec, parallelism.ranks, group)
    referenced = resolve_models.referenced(spec.engine, models)
    mounted = resolve_kinds.weights_path(spec)
    local = resolve_kinds.cached(spec, model)
    fetched = referenced if local else (spec.model, *referenced)
    downloads = any(resolve_models.from_hub(models[one]) for one in fetched)
    drain = resolve_pods.drain_times(spec.drain, drains=spec.engine.DRAINS)
    surge = spec.rollout == "surge"
    pod = resolve_pods.resources(
        spec.resources,
        -(-parallelism.ranks // group_size),
        group,
        model,
        spec.engine.host_bytes(model.architecture, model.weights_size) // group_size
        + resolve_kinds.host_memory(spec)
        + resolve_prefill.host_memory(spec),
        shared=spec.engine.shared_memory_bytes() // group_size + resolve_kinds.shared_memory(spec),
        downloads=downloads or (mounted is not None and volume is None and not local),
    )
    start = resolve_pods.startup(
        model,
        volume,
        group,
        drain,
        replicas=spec.replicas + resolve_prefill.replicas(spec),
        max_unavailable=1,
        eager=spec.engine.is_eager(),
        given=spec.startup_timeout_seconds,
        group_size=group_size,
    )
    launch = Launch(
        model=mounted or _location(model, spec),
        revision=model.revision if resolve_models.from_hub(model) and mounted is None else None,
        served_name=resolve_kinds.served_name(name, spec, model),
        shutdown_timeout_seconds=drain.shutdown,
        startup_seconds=start.budget,
        cache_dir="/cache",
        port=resolve_prefill.engine_port(spec),
        locations={one: _location(models[one], spec) for one in referenced},
        revisions={one: models[one].revision for one in referenced if resolve_models.from_hub(models[one])},
    )
    engine, rows = resolve_prefill.engine(spec), tables.get(spec.engine.name)
    return Workload(
        name=name,
        namespace=namespace,
        kind=spec.kind,
        engine=engine,
        launch=launch,
        args=tuple(engine.args(launch, rows)),
        parallelism=parallelism,
        model=model,
        node_group=group,
        volume=volume,
        replicas=spec.replicas,
        prefill_replicas=resolve_prefill.replicas(spec),
        group_size=group_size,
        max_surge=1 if surge else 0,
        max_unavailable=0 if surge else 1,
        resources=pod,
        startup=start,
        drain=drain,
        env=dict(spec.env),
        token_secret=(token.secret_name, token.key) if token and downloads else None,
        allow_from=resolve_cluster.peers(spec.allow_from),
        service_port=spec.service_port,
        metrics=spec.metrics,
        labels=dict(spec.labels),
        priority_class_name=spec.priority_class_name,
        memory=_memory(spec, model, group, referenced),
        downloads=downloads,
        cached=local,
        aws_role=AwsRole(arn=spec.aws_role.arn, via=spec.aws_role.via) if spec.aws_role else None,
        referenced=referenced,
        allowed={one.code: one.reason for one in spec.allow},
        settings=resolve_prefill.settings(resolve_kinds.settings(spec, group_size), spec, launch, rows),
    )


def _location(model: Model, spec: WorkloadSpec) -> str:
    folder = f"{spec.engine.WEIGHTS_PATH}/{model.path}" if model.volume else None
    return folder or model.storage_uri or model.id


def _memory(spec: WorkloadSpec, model: Model, group: NodeGroup, referenced: Mapping[str, Referenced]) -> Any:
    if model.architecture is None or group.gpu is None:
        return None
    profile = group.sharing.mig_profile if group.sharing else None
    total = slice_gib(group.gpu, profile) if profile else None
    return spec.engine.memory(model.architecture, group.gpu, total, referenced)
