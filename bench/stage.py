"""What the rows measure with: backends, the scripted control plane, an Envoy, and the programs' results."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc

from bench import envoy
from bench.figures import GRPC, OURS
from bench.plane import ORDER
from bench.processes import Processes
from bench.scenes import PORT, SCENES, host, target

VERSIONS = ("v1", "v2", "v3")
NODES = {OURS: "sidecar~127.0.0.1~ours.default~default.svc.cluster.local", GRPC: "grpc"}
"""What the control plane knows the clients by."""


@dataclass(frozen=True, slots=True)
class Scale:
    """How much is measured."""

    quick: bool

    def of(self, full: int, quick: int) -> int:
        """One of two numbers."""
        return quick if self.quick else full


@dataclass(frozen=True)
class World:
    """Backends and a control plane that serves a scene to whoever asks."""

    plane: str
    backends: Mapping[str, int]
    orders: Callable[[Mapping[str, Any]], Any]
    spec: Mapping[str, Any]
    """What a client program needs to know of it."""
    env: Mapping[str, str]
    """gRPC's own bootstrap, which it takes from the environment."""
    held: Mapping[str, int] = field(default_factory=dict)
    """The bytes that the control plane holds, by type."""

    def order(self, do: str, **params: Any) -> Any:
        """Order the control plane."""
        return self.orders({"do": do, **params})


class Stage:
    """Of one run, as a context manager; backends and control plane stay from row to row."""

    def __init__(self, processes: Processes, folder: Path, scale: Scale, seed: int) -> None:
        self.processes = processes
        self.folder = folder
        self.scale = scale
        self.seed = seed
        self.envoy = envoy.binary()
        self._stack = ExitStack()
        self._world: World | None = None
        self._sidecar = ExitStack()
        self._sidecar_is: tuple[Any, ...] = ()
        self._sidecar_spec: dict[str, Any] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._sidecar.close()
        self._stack.close()

    def world(self, scene: str, **params: Any) -> World:
        """Backends, and a control plane that holds this scene, which is given the backends' ports."""
        if self._world is None:
            self._world = self._start()
        world = self._world
        held = world.order("serve", scene=scene, params={"ports": world.backends, **params})
        return replace(world, held=held)

    def sidecar(self, world: World, scene: str, **params: Any) -> dict[str, Any]:
        """What a client program needs to know of an Envoy with this scene; nothing where there is none."""
        if self.envoy is None:
            return {}
        wanted = (scene, *sorted(params.items()))
        if self._sidecar_is != wanted:
            self.drop_sidecar()
            resources: Sequence[Any] = list(SCENES[scene](ports=world.backends, **params))
            bootstrap = envoy.as_static(resources)
            running = envoy.running(self.processes, self.envoy, bootstrap, self.folder / "envoy")
            found = self._sidecar.enter_context(running)
            self._sidecar_spec = {"sidecar": found.ports[f"{host()}:{PORT}"], "envoy": found.pid}
            self._sidecar_is = wanted
        return self._sidecar_spec

    def drop_sidecar(self) -> None:
        """End the Envoy: the rows that have no use for it are not to share the machine with it."""
        self._sidecar.close()
        self._sidecar_is = ()

    def _start(self) -> World:
        backend = self._stack.enter_context(self.processes.program("bench.backend", *VERSIONS))
        plane = self._stack.enter_context(self.processes.program("bench.plane"))
        ports: dict[str, int] = json.loads(backend.line())
        address = plane.line()
        channel = self._stack.enter_context(grpc.insecure_channel(address))
        send: Any = channel.unary_unary(ORDER)

        def orders(order: Mapping[str, Any]) -> Any:
            return json.loads(send(json.dumps(order).encode(), timeout=120))

        return World(
            address,
            ports,
            orders,
            {
                "plain": f"127.0.0.1:{ports['v3']}",
                "ours": _ours(address),
                "plane": address,
                "target": target(),
            },
            {"GRPC_XDS_BOOTSTRAP_CONFIG": json.dumps(_grpc(address))},
        )


def _ours(plane: str) -> dict[str, str]:
    return {"XDS_ADDRESS": plane, "INSTANCE_IP": "127.0.0.1", "POD_NAME": "ours", "POD_NAMESPACE": "default"}


def _grpc(plane: str) -> dict[str, Any]:
    server = {"server_uri": plane, "channel_creds": [{"type": "insecure"}], "server_features": ["xds_v3"]}
    return {"xds_servers": [server], "node": {"id": NODES[GRPC]}}
