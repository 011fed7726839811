"""RAY: models on Ray."""

from preflight import ray_capacity, ray_cluster, ray_models, ray_releases

RULES = (*ray_releases.RULES, *ray_models.RULES, *ray_cluster.RULES, *ray_capacity.RULES)
