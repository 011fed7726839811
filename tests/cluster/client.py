"""A Kubernetes API client for tests: any kind, server-side apply with strict field validation, waiting with a bound.

Plain HTTPS with `requests`, which pulumi-kubernetes brings along: the official client would add its models of every kind (as much
memory as the API server) for the few calls made here, and checks fields itself where the API server is meant to.
"""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import requests
from requests.adapters import HTTPAdapter

Object = dict[str, Any]
FIELD_MANAGER = "cluster-tests"


class ApiError(Exception):
    """The API server refused a request; `code` is the HTTP status and `status` its Status object."""

    def __init__(self, method: str, path: str, code: int, status: Mapping[str, Any]) -> None:
        super().__init__(f"{method} {path}: {code} {status.get('reason', '')}: {status.get('message', '')}")
        self.code = code
        self.status = status


class Client:
    """One user of one API server. Safe to use from several threads."""

    def __init__(self, server: str, token: str, certificate: Path) -> None:
        self._server = server
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.mount("https://", HTTPAdapter(pool_maxsize=16))
        self._session.verify = str(certificate)
        self._session.headers["Authorization"] = f"Bearer {token}"
        self._resources: dict[tuple[str, str], tuple[str, bool]] = {}

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str] | None = None,
        content: str = "application/json",
        timeout: float = 60,
    ) -> Any:
        """The decoded answer. Raises ApiError for a refusal and requests.ConnectionError where nobody answers."""
        given: dict[str, Any] = {"params": query, "timeout": timeout, "headers": {"Content-Type": content}}
        if isinstance(body, str):
            given["data"] = body.encode()
        elif body is not None:
            given["json"] = body
        answer = self._session.request(method, self._server + path, **given)
        data = answer.json() if "json" in answer.headers.get("Content-Type", "") else answer.text
        if answer.status_code >= 400:
            status = data if isinstance(data, dict) else {"message": data}
            raise ApiError(method, path, answer.status_code, status)
        return data

    def apply(self, found: Object, *, manager: str = FIELD_MANAGER, dry_run: bool = False) -> Object:
        """Server-side apply; unknown and repeated fields are errors."""
        query = {"fieldManager": manager, "force": "true", "fieldValidation": "Strict"}
        if dry_run:
            query["dryRun"] = "All"
        # JSON is YAML, and quicker to write.
        return self.request(
            "PATCH", self.path(found), json.dumps(found), query=query, content="application/apply-patch+yaml"
        )

    def apply_all(self, objects: Iterable[Object], *, manager: str = FIELD_MANAGER) -> list[Object]:
        """Every object, in the order given."""
        return [self.apply(one, manager=manager) for one in objects]

    def create(self, found: Object) -> Object:
        """A new object."""
        return self.request("POST", self.path(found, named=False), found, query={"fieldValidation": "Strict"})

    def get(self, version: str, kind: str, name: str, namespace: str | None = None) -> Object:
        """One object. Raises ApiError (404) where there is none."""
        return self.request("GET", self.path(_reference(version, kind, name, namespace)))

    def list(
        self, version: str, kind: str, namespace: str | None = None, *, labels: str = "", fields: str = ""
    ) -> list[Object]:
        """All objects of a kind, of one namespace or of all."""
        query = {key: value for key, value in (("labelSelector", labels), ("fieldSelector", fields)) if value}
        return self.request("GET", self._collection(version, kind, namespace), query=query)["items"]

    def patch(
        self, version: str, kind: str, name: str, namespace: str | None, body: object, *, subresource: str = ""
    ) -> Object:
        """A JSON merge patch."""
        path = self.path(_reference(version, kind, name, namespace)) + (f"/{subresource}" if subresource else "")
        return self.request("PATCH", path, body, content="application/merge-patch+json")

    def delete(self, version: str, kind: str, name: str, namespace: str | None = None, *, now: bool = False) -> None:
        """Deletes one object with its dependants in the background; one that is gone already is no error."""
        options: Object = {"propagationPolicy": "Background"}
        if now:
            options["gracePeriodSeconds"] = 0
        try:
            self.request("DELETE", self.path(_reference(version, kind, name, namespace)), options)
        except ApiError as error:
            if error.code != 404:
                raise

    def delete_all(self, version: str, kind: str, namespace: str | None = None, *, labels: str = "") -> None:
        """Deletes every object of a kind at once."""
        query = {"labelSelector": labels} if labels else None
        self.request("DELETE", self._collection(version, kind, namespace), {"gracePeriodSeconds": 0}, query=query)

    def evict(self, pod: Object) -> None:
        """Asks for a pod's eviction. Raises ApiError 429 where a disruption budget forbids it now."""
        metadata = {"name": pod["metadata"]["name"], "namespace": pod["metadata"]["namespace"]}
        path = self.path(_reference("v1", "Pod", metadata["name"], metadata["namespace"]))
        self.request("POST", f"{path}/eviction", {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": metadata})

    def path(self, found: Object, *, named: bool = True) -> str:
        """Address of an object, or of what it is created in."""
        metadata = found["metadata"]
        collection = self._collection(found["apiVersion"], found["kind"], metadata.get("namespace"))
        return f"{collection}/{metadata['name']}" if named else collection

    def serves(self, version: str, kind: str) -> bool:
        """Whether the API server knows a kind."""
        try:
            self._collection(version, kind, None)
        except ApiError as error:
            if error.code != 404:
                raise
            return False
        return True

    def _collection(self, version: str, kind: str, namespace: str | None) -> str:
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if (version, kind) not in self._resources:
            for one in self.request("GET", root)["resources"]:
                if "/" not in one["name"]:
                    self._resources[version, one["kind"]] = (one["name"], one["namespaced"])
        if (version, kind) not in self._resources:
            raise ApiError("GET", root, 404, {"reason": "NotFound", "message": f"the server has no kind {kind}"})
        plural, namespaced = self._resources[version, kind]
        return f"{root}/namespaces/{namespace}/{plural}" if namespaced and namespace else f"{root}/{plural}"


def wait(what: str, found: Callable[[], Any], *, seconds: float = 60) -> Any:
    """The first truthy answer of `found`. Raises TimeoutError that names what was waited for."""
    end, pause = time.monotonic() + seconds, 0.02
    while True:
        answer = found()
        if answer:
            return answer
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.5)


def _reference(version: str, kind: str, name: str, namespace: str | None) -> Object:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": version, "kind": kind, "metadata": metadata}
