"""Looking at live configuration: a client that subscribes like any other, or a process's admin address."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.request
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from http.client import HTTPException
from typing import Any, NoReturn
from urllib.error import HTTPError
from urllib.parse import urlsplit

from .bootstrap import Bootstrap
from .changes import NOTHING, changes
from .depgraph import Config, Pending
from .entry import Client
from .errors import XdsError
from .observer import Observer
from .resources import Kind
from .targets import ActiveTarget


class AdminError(XdsError):
    """A process's admin address does not answer with a config dump."""


def fetch_dump(address: str, timeout: float) -> dict[str, Any]:
    """Return the config dump of the process whose admin address this is; raises AdminError."""
    url = f"http://{address.removeprefix('http://').rstrip('/')}/config_dump"
    _check_port(address, url)
    try:
        with urllib.request.urlopen(url, timeout=timeout) as response:
            dump = json.load(response)
    except HTTPError as error:
        # A process that has nothing to show says why.
        said = error.read(1000).decode("utf-8", "replace").strip()
        raise AdminError(f"{url}: {error.code} {error.reason}: {said}") from None
    except (OSError, ValueError, HTTPException) as error:
        said = str(getattr(error, "reason", error)).strip()
        raise AdminError(f"{url}: {said or type(error).__name__}") from None
    if not isinstance(dump, dict) or not {"node", "server", "targets", "resources"} <= dump.keys():
        raise AdminError(f"{url}: the answer is not a config dump of proxyless")
    return dump


def _check_port(address: str, url: str) -> None:
    """Raise AdminError for a port that is none: connecting would cut it to 16 bits, to somebody else's."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise AdminError(f"{address}: {error}") from None
    try:
        if parts.port != 0:
            return
    except ValueError:
        pass
    raise AdminError(f"{address}: {parts.netloc.rpartition(':')[2]!r} is no port")


async def collect_dump(bootstrap: Bootstrap, targets: Sequence[str], timeout: float) -> dict[str, Any]:
    """Subscribe to the targets and return the dump once nothing is on its way, or after `timeout` seconds."""
    async with Client(bootstrap) as client:
        with ExitStack() as stack:
            for active in [client.attach(target) for target in targets]:
                stack.callback(client.detach, active)
                try:
                    async with asyncio.timeout(timeout):
                        while _unsettled(active):
                            await active.changed()
                except TimeoutError:
                    continue  # the dump says what is missing
            return client.config_dump()


def _unsettled(active: ActiveTarget) -> bool:
    outcome = active.outcome
    if isinstance(outcome, Config):
        return any(isinstance(cluster, Pending) for cluster in outcome.clusters.values())
    return isinstance(outcome, Pending)


class _Printer(Observer):
    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say

    def stream_connected(self, server: str) -> None:
        self._say(f"connected  {server}")

    def stream_failed(self, server: str, error: str) -> None:
        self._say(f"failed     {error}")

    def resource_updated(self, kind: Kind, name: str, version: str) -> None:
        self._say(f"{kind.value} accepted  {name}  version {version}")

    def resource_refused(self, kind: Kind, name: str, error: str) -> None:
        self._say(f"{kind.value} refused   {error}")

    def resource_absent(self, kind: Kind, name: str) -> None:
        self._say(f"{kind.value} absent    {name}")

    def field_unsupported(self, kind: Kind, name: str, note: str) -> None:
        self._say(f"{kind.value} note      {name}: {note}")

    def config_changed(self, target: str, state: str) -> None:
        self._say(f"target     {target}  {state}")


def watch_admin(address: str, say: Callable[[str], None], timeout: float, interval: float = 0.5) -> NoReturn:
    """Say every change of a process's configuration, looking every `interval` seconds, until interrupted.

    A process that goes away is waited for; raises AdminError where it is not there to begin with.
    """
    dump, lost = NOTHING, ""
    found = fetch_dump(address, timeout)
    while True:
        for line in changes(dump, found):
            say(line)
        dump = found
        time.sleep(interval)
        try:
            found = fetch_dump(address, timeout)
        except AdminError as error:
            if str(error) != lost:
                say(f"lost       {error}")
            lost = str(error)
        else:
            if lost:
                say(f"back       {address}")
            lost = ""


async def watch(bootstrap: Bootstrap, targets: Sequence[str], say: Callable[[str], None]) -> None:
    """Say every change of the targets' configuration, until cancelled."""
    async with Client(bootstrap, observer=_Printer(say)) as client:
        for target in targets:
            client.attach(target)
        await asyncio.get_running_loop().create_future()
