"""`make up`: `pulumi up` of one stack, for people. Everything that changes something is printed first, and a failure is followed by
what the cluster says of the workloads.

Usage: up.py STACK [ARGUMENT...]; the arguments go to `pulumi up`. Exit codes: those of Pulumi, 1 where there is no CLI,
2 for a stack without a file.
"""

import importlib.metadata
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_NETWORK_SECONDS = 30
_NO_STACK = "no stack named"
"""What the CLI says of a stack that its backend lacks (pulumi 3.260 and 3.272, pkg/cmd/pulumi/stack)."""


def main(arguments: list[str]) -> int:
    """Runs `pulumi up`, and `llm-serving status` where it fails."""
    stack, *rest = arguments
    name = stack.rpartition("/")[2]
    if not any(Path(f"Pulumi.{name}.{ending}").is_file() for ending in ("yaml", "yml")):
        files = sorted(one.name for one in Path().glob("Pulumi.*.y*ml"))
        return _refuse(2, f"STACK={stack}: there is no Pulumi.{name}.yaml; the stack files here are {', '.join(files)}")
    cli = shutil.which("pulumi") or _installed()
    if cli is None:
        return 1
    if os.path.isabs(cli):
        # The language host and the plugins that came with this CLI are beside it.
        os.environ["PATH"] = os.pathsep.join([str(Path(cli).parent), os.environ.get("PATH", "")])
    # Asks for a login where there is none, and says whose backend it is.
    if code := subprocess.run([cli, "whoami", "--verbose"]).returncode:
        return _refuse(
            code, "no backend: log in with `pulumi login`, or `pulumi login --local` to keep the state on this machine"
        )
    shown = subprocess.run([cli, "stack", "--stack", stack, "--show-name"], capture_output=True, text=True)
    if shown.returncode and _NO_STACK in shown.stderr:
        _say(f"this backend has no stack {stack} yet: creating it with `pulumi stack init {stack}`")
        if code := subprocess.run([cli, "stack", "init", stack, "--no-select"]).returncode:
            return code
    sys.stdout.flush()
    if code := _up([cli, "up", "--stack", stack, *rest]):
        _tell(name)
    return code


def _up(command: list[str]) -> int:
    """Runs it to its end. Ctrl-C is Pulumi's own, which cancels in order; what stops this process stops Pulumi."""
    with subprocess.Popen(command) as process:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda *_: process.terminate())
        return process.wait()


def _tell(name: str) -> None:
    """Pulumi names the condition that a custom resource misses; why its pods aren't ready, the cluster knows."""
    if shutil.which("kubectl"):
        _say(f"what the cluster says of the workloads (llm-serving status {name}):")
        subprocess.run([sys.executable, str(_ROOT / "cli.py"), "status", name])


def _installed() -> str | None:
    """Path of a CLI of the SDK's version in Pulumi's own folder, downloaded first where it isn't there."""
    from pulumi.automation import PulumiCommand

    version = importlib.metadata.version("pulumi")
    root = Path.home() / ".pulumi" / "versions" / version
    if not (root / "bin" / "pulumi").exists():
        _say(f"there is no pulumi on PATH: installing Pulumi {version} from get.pulumi.com into {root} ...")
    socket.setdefaulttimeout(_NETWORK_SECONDS)
    try:
        return PulumiCommand.install(root=str(root)).command
    except Exception as error:  # the installer is a shell script: what it meets can be anything
        output = getattr(error, "output", None) or b""
        reason = (output.decode(errors="replace").strip().splitlines() or [str(error)])[-1]
        remedy = "install it as https://www.pulumi.com/docs/install/ says and put `pulumi` on PATH"
        _refuse(1, f"Pulumi {version} can't be installed from get.pulumi.com: {reason}; {remedy}")
        return None


def _say(text: str) -> None:
    print(f"make up: {text}", file=sys.stderr, flush=True)


def _refuse(code: int, text: str) -> int:
    _say(text)
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
