"""The closed set of workload kinds, by their stack-file models.

A new kind is one member here, and one row in `stacks/deploy_workloads.py`.
"""

from typing import Annotated

from pydantic import Field

from stacks.kserve_workloads import InferenceServiceWorkload
from stacks.leader_worker_set import LeaderWorkerSetWorkload
from stacks.llm_inference_service import LlmInferenceServiceWorkload
from stacks.ray_workloads import RayClusterWorkload, RayServiceWorkload
from stacks.workloads import DeploymentWorkload

AnyWorkload = Annotated[
    DeploymentWorkload
    | InferenceServiceWorkload
    | LlmInferenceServiceWorkload
    | LeaderWorkerSetWorkload
    | RayServiceWorkload
    | RayClusterWorkload,
    Field(discriminator="kind"),
]
