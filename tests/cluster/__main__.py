"""`make cluster`: a control plane with the simulated nodes of a stack, until Ctrl-C."""

import signal
import sys
from pathlib import Path
from types import FrameType

from stacks.loader import load_file, stack_path
from stacks.resolve import resolve
from tests.cluster.binary import Unavailable, kubernetes_version
from tests.cluster.control_plane import CONTEXT, ControlPlane
from tests.cluster.nodes import stack_nodes


def main(arguments: list[str]) -> int:
    """Runs until Ctrl-C, or a SIGTERM. Arguments: the stack's name or file."""
    path = stack_path(arguments[0], Path.cwd())
    loaded = load_file(path)
    if loaded.inputs is None:
        print("\n".join(one.full_text() for one in loaded.problems), file=sys.stderr)
        return 1
    stack = resolve(loaded.inputs)
    context = stack.cluster.name if stack.cluster.provider == "kubeconfig" else CONTEXT
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        with ControlPlane(nodes=stack_nodes(stack), context=context) as cluster:
            groups = ", ".join(f"{one.name}: {one.max_nodes}" for one in stack.node_groups.values())
            print(f"Kubernetes {kubernetes_version()} at {cluster.server}, simulated nodes: {groups}")
            print(f"export KUBECONFIG={cluster.kubeconfig}")
            print("Ctrl-C stops it.", flush=True)
            signal.pause()
    except KeyboardInterrupt:
        return 0
    except (Unavailable, RuntimeError, TimeoutError) as error:
        print(f"make cluster: {error}", file=sys.stderr)
        return 1
    return 0


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
