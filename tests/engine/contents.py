"""Everything in a cluster, so that a test can tell what a stack leaves behind."""

from collections.abc import Iterator
from typing import Any

from tests.cluster.client import Client

_PASSING = {
    # Kept for an hour, or written all the time, by the cluster itself.
    "Event",
    "Lease",
}


def contents(client: Client) -> dict[str, dict[str, Any]]:
    """Every object of every kind by `kind namespace/name`."""
    return {
        f"{kind} {one['metadata'].get('namespace', '')}/{one['metadata']['name']}": one
        for kind, path in _kinds(client)
        for one in client.request("GET", path)["items"]
    }


def _kinds(client: Client) -> Iterator[tuple[str, str]]:
    roots = [
        "/api/v1",
        *(f"/apis/{one['preferredVersion']['groupVersion']}" for one in client.request("GET", "/apis")["groups"]),
    ]
    for root in roots:
        for one in client.request("GET", root)["resources"]:
            if {"list", "delete"} <= set(one["verbs"]) and one["kind"] not in _PASSING:
                yield one["kind"], f"{root}/{one['name']}"
