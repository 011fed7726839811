"""A real Kubernetes control plane with simulated nodes: etcd, API server, controllers, scheduler, and KWOK for nodes and pods.

    with ControlPlane(nodes=[...]) as cluster:
        cluster.kubeconfig                      # Path of a kubeconfig of a cluster admin; its context is `cluster.context`
        cluster.apply([{...}, {...}])           # server-side apply, strict
        cluster.client.list("v1", "Pod")        # tests/cluster/client.py

Everything listens on 127.0.0.1 on free ports and lives in a temporary folder. The processes end with this one, also when it is
killed: each reads a pipe that the kernel then closes.
"""

import base64
import json
import os
import secrets
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import requests
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.cluster.binary import binary
from tests.cluster.client import ApiError, Client, Object, wait

CONTEXT = "simulated"
_START_SECONDS = 90
_STOP_SECONDS = 10
_USERS = {
    # User -> groups. The names of the two components are those that Kubernetes' own role bindings expect.
    "admin": ("system:masters",),
    "system:kube-controller-manager": (),
    "system:kube-scheduler": (),
}


class ControlPlane:
    """A cluster for the time of a `with` block.

    `nodes` are Node objects (tests/cluster/nodes.py makes them from a stack's node groups); `context` is the name of the
    kubeconfig's context. With `scheduling_only` neither controllers nor KWOK run: pods get nodes, and nothing else happens, which
    is enough for many pods in little time. Raises Unavailable where the binary can't be built, RuntimeError where a process doesn't start.
    """

    context: str
    """Name of the kubeconfig's only context."""
    folder: Path
    """Temporary folder with everything; `<process>.log` are the logs."""
    kubeconfig: Path
    """Kubeconfig of a cluster admin."""
    server: str
    """https://127.0.0.1:<port>."""
    client: Client
    """A cluster admin."""

    def __init__(self, *, nodes: Iterable[Object] = (), context: str = CONTEXT, scheduling_only: bool = False) -> None:
        self.context = context
        self._nodes = tuple(nodes)
        self._scheduling_only = scheduling_only
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._tokens = {user: secrets.token_hex(16) for user in _USERS}
        self._exit = ExitStack()

    def __enter__(self) -> "ControlPlane":
        self._binary = binary()
        with ExitStack() as undo:
            self.folder = Path(
                undo.enter_context(tempfile.TemporaryDirectory(prefix="control-plane-", ignore_cleanup_errors=True))
            )
            undo.callback(self._stop)
            self._start()
            self._exit = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._exit.close()

    def apply(self, objects: Iterable[Object]) -> list[Object]:
        """Server-side apply of every object in turn, as an admin; unknown fields are errors."""
        return self.client.apply_all(objects)

    def add_nodes(self, nodes: Iterable[Object]) -> None:
        """Registers nodes and waits until all are ready and schedulable."""
        names = {self.client.create(node)["metadata"]["name"] for node in nodes}
        if names and not self._scheduling_only:
            wait("nodes to be ready", lambda: names <= self._ready_nodes())

    def remove_nodes(self, names: Iterable[str]) -> None:
        """Removes nodes, as their cloud would."""
        for name in names:
            self.client.delete("v1", "Node", name)

    def kill(self, process: str) -> None:
        """Kills one of `processes` without a chance to finish anything (SIGKILL, by its id)."""
        killed = self._processes.pop(process)
        killed.kill()
        killed.communicate()

    def start_api_server(self) -> None:
        """Starts the API server (again), on the same port and data, and waits until it is ready."""
        self._run("kube-apiserver", *self._api_server_flags())
        self._until_ready()

    @property
    def processes(self) -> dict[str, int]:
        """Process ids by component."""
        return {name: one.pid for name, one in self._processes.items()}

    def client_for(self, token: str) -> Client:
        """A client with another bearer token, for example of a ServiceAccount."""
        return Client(self.server, token, self._certificate)

    def service_account(self, namespace: str, name: str) -> Client:
        """A client that is a ServiceAccount, by a token of the TokenRequest API."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{name}/token"
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": 3600}}
        return self.client_for(self.client.request("POST", path, body)["status"]["token"])

    @property
    def _certificate(self) -> Path:
        return self.folder / "certificates" / "apiserver.crt"

    def _start(self) -> None:
        self._api_port, self._etcd_port, self._peer_port = _free_ports(3)
        self.server = f"https://127.0.0.1:{self._api_port}"
        self.kubeconfig = self.folder / "kubeconfig"
        self._write_credentials()
        self._run("etcd", *self._etcd_flags())
        self.start_api_server()
        for user in _USERS:
            _write_private(self._kubeconfig_of(user), self._kubeconfig_text(user))
        self._run("kube-scheduler", *self._scheduler_flags())
        if not self._scheduling_only:
            self._run("kube-controller-manager", *self._controller_flags())
            self._run("kwok", *self._kwok_flags())
            wait("the default service account", self._accounts_are_made, seconds=_START_SECONDS)
        self.add_nodes(self._nodes)

    def _run(self, name: str, *flags: str) -> None:
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "CONTROL_PLANE_FOLDER": str(self.folder),
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder),
        }
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [self._binary, name, *flags],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                env=environment,
                cwd=self.folder,
                # Ctrl-C goes to this process only, which then stops the others in order.
                start_new_session=True,
            )

    def _stop(self) -> None:
        while self._processes:
            # The newest first: the API server still answers the others, and etcd the API server.
            _, process = self._processes.popitem()
            process.terminate()
            try:
                process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
            # Closes the pipe.
            process.communicate()

    def _until_ready(self) -> None:
        end = time.monotonic() + _START_SECONDS
        while True:
            self._assert_running()
            try:
                # The certificate is there once the API server listens for the first time.
                if self._certificate.exists():
                    self.client = self.client_for(self._tokens["admin"])
                    if self.client.request("GET", "/readyz") == "ok":
                        return
            except (requests.ConnectionError, ApiError):
                pass
            if time.monotonic() > end:
                raise RuntimeError(f"the API server is not ready after {_START_SECONDS} s: {self._log_end()}")
            time.sleep(0.05)

    def _assert_running(self) -> None:
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise RuntimeError(f"{name} ended with {process.returncode}: {self._log_end(name)}")

    def _log_end(self, name: str = "kube-apiserver") -> str:
        return "\n".join((self.folder / f"{name}.log").read_text("utf-8", "replace").splitlines()[-15:])

    def _accounts_are_made(self) -> bool:
        self._assert_running()
        return any(one["metadata"]["name"] == "default" for one in self.client.list("v1", "ServiceAccount", "default"))

    def _ready_nodes(self) -> set[str]:
        self._assert_running()
        return {
            node["metadata"]["name"]
            for node in self.client.list("v1", "Node")
            if any(one["type"] == "Ready" and one["status"] == "True" for one in node["status"].get("conditions", ()))
            and not any(taint["key"].startswith("node.kubernetes.io/") for taint in node["spec"].get("taints", ()))
        }

    def _write_credentials(self) -> None:
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        _write_private(self.folder / "service-accounts.key", pem.decode())
        rows = (f'{self._tokens[user]},{user},{user},"{",".join(groups)}"' for user, groups in _USERS.items())
        _write_private(self.folder / "tokens.csv", "\n".join(rows) + "\n")

    def _kubeconfig_of(self, user: str) -> Path:
        return self.kubeconfig if user == "admin" else self.folder / f"{user.removeprefix('system:')}.kubeconfig"

    def _kubeconfig_text(self, user: str) -> str:
        certificate = base64.b64encode(self._certificate.read_bytes()).decode()
        cluster = {"server": self.server, "certificate-authority-data": certificate}
        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": self.context,
                "clusters": [{"name": self.context, "cluster": cluster}],
                "contexts": [{"name": self.context, "context": {"cluster": self.context, "user": user}}],
                "users": [{"name": user, "user": {"token": self._tokens[user]}}],
            },
            indent=2,
        )

    def _etcd_flags(self) -> Sequence[str]:
        client, peer = (f"http://127.0.0.1:{port}" for port in (self._etcd_port, self._peer_port))
        return (
            f"--data-dir={self.folder / 'etcd'}",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            # Nothing here outlives the machine.
            "--unsafe-no-fsync",
            # Some CustomResourceDefinitions are larger than the default of 1.5 MiB.
            "--max-request-bytes=10485760",
        )

    def _api_server_flags(self) -> Sequence[str]:
        key = self.folder / "service-accounts.key"
        return (
            f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
            "--bind-address=127.0.0.1",
            f"--secure-port={self._api_port}",
            f"--cert-dir={self.folder / 'certificates'}",
            f"--token-auth-file={self.folder / 'tokens.csv'}",
            "--authorization-mode=Node,RBAC",
            "--anonymous-auth=false",
            "--service-cluster-ip-range=10.96.0.0/16",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            # Endpoints of the Service `kubernetes` can't be a loopback address.
            "--endpoint-reconciler-type=none",
            "--allow-privileged=true",
            # Only a controller would take the taint of new nodes away.
            *(["--disable-admission-plugins=TaintNodesByCondition"] if self._scheduling_only else []),
        )

    def _controller_flags(self) -> Sequence[str]:
        return (
            f"--kubeconfig={self._kubeconfig_of('system:kube-controller-manager')}",
            f"--service-account-private-key-file={self.folder / 'service-accounts.key'}",
            f"--root-ca-file={self._certificate}",
            "--use-service-account-credentials=true",
            *_COMPONENT_FLAGS,
        )

    def _scheduler_flags(self) -> Sequence[str]:
        return (f"--kubeconfig={self._kubeconfig_of('system:kube-scheduler')}", *_COMPONENT_FLAGS)

    def _kwok_flags(self) -> Sequence[str]:
        own = subprocess.run([self._binary, "stages"], capture_output=True, text=True, check=True).stdout
        ours = (Path(__file__).resolve().parent / "stages.yaml").read_text("utf-8")
        stages = self.folder / "stages.yaml"
        stages.write_text(f"{own}\n---\n{ours}")
        return (f"--kubeconfig={self.kubeconfig}", f"--config={stages}", "--manage-all-nodes=true", *_KWOK_FLAGS)


_COMPONENT_FLAGS = (
    "--bind-address=127.0.0.1",
    "--secure-port=0",
    "--leader-elect=false",
    "--kube-api-qps=1000",
    "--kube-api-burst=2000",
)
_KWOK_FLAGS = ("--node-lease-duration-seconds=40", "--cidr=10.128.0.1/16", "--node-ip=10.127.0.1")


def _free_ports(count: int) -> list[int]:
    with ExitStack() as held:
        found = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in found:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in found]


def _write_private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
