"""Copies of a model that span several pods: what each pod's engine is told of the others. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """The pods of one copy, as one of them sees them."""

    size: int
    """Pods of the copy; each has the same number of ranks."""
    leader: str
    """Address of the pod with rank 0, or a `$(VARIABLE)` that Kubernetes expands in arguments."""
    rank: str
    """This pod's number in its copy, from 0, or such a variable."""
    leads: bool
    """It is the pod with rank 0, which serves the API."""
    port: int
    """Where the leader waits for the others."""
    join_seconds: int
    """How long they may take to come."""


def vllm_arguments(group: Group) -> list[str]:
    """Arguments of `vllm serve` for one node of several, with vLLM's own processes and no Ray.

    0.29, 0.32 and 0.33 alike: --nnodes, --node-rank, --master-addr, --master-port and --headless are in their option tables, and a
    headless node with a rank above 0 starts workers only (entrypoints/cli/serve.py, run_headless). PyTorch waits 600 s for the other
    nodes unless --distributed-timeout-seconds says otherwise (config/parallel.py).
    """
    shared = [
        f"--nnodes={group.size}",
        f"--node-rank={group.rank}",
        f"--master-addr={group.leader}",
        f"--master-port={group.port}",
        f"--distributed-timeout-seconds={group.join_seconds}",
    ]
    # A headless node refuses any number of API servers but 0; the last value wins.
    return shared if group.leads else [*shared, "--headless", "--api-server-count=0"]
