"""The closed set of workload kinds, by their stack-file models.

A new kind is one member here, and one row in `stacks/deploy_workloads.py`.
"""

from stacks.workloads import DeploymentWorkload

AnyWorkload = DeploymentWorkload
