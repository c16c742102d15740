"""Bookinfo by its chart in a namespace of its own, which goes with all that is in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import helm_python
import yaml

from tests.cluster.apiserver.server import Object, Refused, Server
from tests.cluster.apiserver.settings import XDS_TLS

CHART = Path(__file__).resolve().parents[3] / "deploy" / "helm" / "bookinfo"
VALUES: Mapping[str, Any] = {
    "image": {"repository": "bookinfo", "tag": "test"},
    "xds": {"address": XDS_TLS},
    "drain": {"preStopSeconds": 1, "timeoutSeconds": 5},
    "services": {"reviews": {"base": "v3"}},
    "lanes": {"demo": None},
}
_LATER = ("Deployment", "CronJob", "Pod")


def rendered(namespace: str, *values: Mapping[str, Any]) -> list[Object]:
    """The chart's objects with these values, the later going before."""
    chart = helm_python.Chart.load(CHART)
    merged: dict[str, Any] = {}
    for each in (VALUES, *values):
        merged = _merged(merged, each)
    texts = chart.render(merged, name="bookinfo", namespace=namespace)
    found = [
        each
        for name, text in texts.items()
        if name.endswith(".yaml") and "/tests/" not in name
        for each in yaml.load_all(text, yaml.CSafeLoader)
        if each is not None
    ]
    return sorted(found, key=lambda each: each["kind"] in _LATER)


@asynccontextmanager
async def namespace(server: Server, name: str) -> AsyncIterator[None]:
    """A namespace that is gone afterwards, with its ServiceAccount and Istio's root certificate in it."""
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
    await server.ask("POST", "/api/v1/namespaces", body)
    try:
        yield
    finally:
        await server.ask("DELETE", f"/api/v1/namespaces/{name}")
        async with asyncio.timeout(60):
            while await server.find(f"/api/v1/namespaces/{name}") is not None:  # noqa: ASYNC110
                await asyncio.sleep(0.2)


async def install(server: Server, objects: list[Object]) -> None:
    """Apply all of them; what refers to what is not there yet is tried again."""
    for each in objects:
        async with asyncio.timeout(30):
            while True:
                try:
                    await server.apply(each)
                    break
                except Refused as refused:
                    if refused.status not in (403, 409, 500):
                        raise
                    await asyncio.sleep(0.2)


async def rolled_out(server: Server, name: str, seconds: float = 60) -> None:
    """Wait until every Deployment of a namespace has all its Pods available."""
    path = f"/apis/apps/v1/namespaces/{name}/deployments"
    lacking: list[str] = []
    try:
        async with asyncio.timeout(seconds):
            while True:
                there = await server.items(path)
                lacking = [
                    each["metadata"]["name"]
                    for each in there
                    if each.get("status", {}).get("availableReplicas", 0) < each["spec"]["replicas"]
                ]
                if there and not lacking:
                    return
                await asyncio.sleep(0.2)
    except TimeoutError:
        raise AssertionError(f"not available after {seconds:g} s: {', '.join(lacking)}") from None


def _merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(one)
    for key, value in other.items():
        there = found.get(key)
        found[key] = (
            _merged(there, value) if isinstance(there, Mapping) and isinstance(value, Mapping) else value
        )
    return found
