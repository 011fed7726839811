"""The Serve configuration of a RayService: one application with an OpenAI-compatible endpoint for all its models. Pure.

Fields: LLMConfig, LLMServingArgs and build_openai_app of ray 2.60.0 (llm/_internal/serve/core), ServeDeploySchema (serve/schema.py).
"""

from collections.abc import Sequence
from typing import Any

import yaml

from catalog.ray import accelerator_type
from components.ray_engine import engine_kwargs
from components.resolved import Workload

IMPORT_PATH = "ray.serve.llm:build_openai_app"
APPLICATION = "llm"
PORT = 8000


def serve_config_text(models: Sequence[Workload]) -> str:
    """`serveConfigV2`: the configuration as YAML."""
    return yaml.safe_dump(serve_config(models), sort_keys=False, allow_unicode=True, width=1000)


def serve_config(models: Sequence[Workload]) -> dict[str, Any]:
    """The configuration of a service with these models, the service's own workload first."""
    workers = sum(least_copies(one) * one.group_size for one in models)
    return {
        "proxy_location": "EveryNode",
        "http_options": {"host": "0.0.0.0", "port": PORT},
        "applications": [
            {
                "name": APPLICATION,
                "route_prefix": "/",
                "import_path": IMPORT_PATH,
                "args": {
                    "llm_configs": [llm_config(one, alone=len(models) == 1) for one in models],
                    # One on each worker pod: a node has a proxy only where a replica runs, and KubeRay takes a worker without a proxy
                    # for not ready (ray-operator/controllers/ray/common/pod.go, initLivenessAndReadinessProbe).
                    "ingress_deployment_config": {"num_replicas": workers, "max_replicas_per_node": 1},
                },
            }
        ],
    }


def least_copies(workload: Workload) -> int:
    """Copies of the model that always run."""
    scaling = workload.settings.autoscaling
    return scaling.min_replicas if scaling else workload.replicas


def most_copies(workload: Workload) -> int:
    """Copies of the model at the highest load."""
    scaling = workload.settings.autoscaling
    return scaling.max_replicas if scaling else workload.replicas


def llm_config(workload: Workload, *, alone: bool) -> dict[str, Any]:
    """One model's LLMConfig. `alone`: no other model shares the cluster."""
    kind = accelerator_type(workload.node_group.gpu_name)
    return {
        "model_loading_config": {
            "model_id": workload.engine.client_model(workload.launch),
            "model_source": workload.launch.model,
        },
        "llm_engine": "vLLM",
        "engine_kwargs": engine_kwargs(workload),
        **({"accelerator_type": kind} if kind else {}),
        "placement_group_config": {
            "bundle_per_worker": bundle(workload, alone=alone),
            # All ranks of a copy on one worker pod where they fit; else as few pods as possible.
            "strategy": "STRICT_PACK" if workload.group_size == 1 else "PACK",
        },
        "runtime_env": {"env_vars": start_timeouts(workload)},
        **({"lora_config": dict(workload.settings.lora)} if workload.settings.lora else {}),
        "deployment_config": _deployment(workload),
    }


def start_timeouts(workload: Workload) -> dict[str, str]:
    """How long Ray and vLLM wait for an engine, 3600 and 600 seconds by default (ray 2.60.0, llm/_internal/serve/constants.py)."""
    names = ("RAYLLM_ENGINE_START_TIMEOUT_S", "VLLM_ENGINE_READY_TIMEOUT_S")
    return {name: str(workload.startup.budget) for name in names if name not in workload.env}


def bundle(workload: Workload, *, alone: bool) -> dict[str, float]:
    """What one rank reserves: one GPU, of its own worker group where there are several."""
    return {"GPU": 1} if alone else {"GPU": 1, group_resource(workload): 0.001}


def group_resource(workload: Workload) -> str:
    """Ray's custom resource of a model's worker pods; it keeps other models away. KubeRay takes names that end in gpu for GPUs."""
    return f"{workload.name}-worker-group"


def _deployment(workload: Workload) -> dict[str, Any]:
    scaling, most = workload.settings.autoscaling, workload.settings.max_ongoing_requests
    copies: dict[str, Any] = {"num_replicas": workload.replicas}
    if scaling:
        copies = {
            "autoscaling_config": {
                "min_replicas": scaling.min_replicas,
                "initial_replicas": workload.replicas,
                "max_replicas": scaling.max_replicas,
                "target_ongoing_requests": scaling.target_ongoing_requests,
                **scaling.options,
            }
        }
    return {
        **copies,
        **({"max_ongoing_requests": most} if most else {}),
        "graceful_shutdown_timeout_s": workload.drain.shutdown,
    }
