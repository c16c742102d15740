"""The one-machine mesh: a control plane, the services, and the verbs that change rules and processes."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

from mesh import clients, environment, istiod, plane, sources
from mesh.addresses import LOOPBACK, AddressBook, free_port, plan_addresses, require_port
from mesh.admin import Admin, ControlPlaneGone
from mesh.console import ConsoleProgram
from mesh.control import ControlServer
from mesh.crash import end_last_run
from mesh.errors import MeshError, NotRunning
from mesh.group import ProcessGroup
from mesh.guests import guest_from
from mesh.inventory import FRONT_DOOR, SERVICES, Instance, Service, calls_others, instances_of
from mesh.istiod_admin import IstiodAdmin
from mesh.objects import MeshObject, Ref
from mesh.plane import Plane
from mesh.report import Report, Verdict
from mesh.rulebook import DEFAULT_TIMEOUT, Expected, RuleBook
from mesh.state import Run, StateFolder
from mesh.status import MeshStatus, Phase, ProcessStatus
from mesh.store import Store
from mesh.supervisor import Supervisor
from mesh.workloads import hosts_defined, service_entry

READY_TIMEOUT = 30.0
# A status that waits for a control plane that hangs would itself be out of date.
_STATUS_WAIT = 2.0
Listener = Callable[[ProcessStatus], None]


class Mesh:
    """A running mesh as an async context manager; entering returns when every part is ready.

    Ports are TCP ports on 127.0.0.1, 0 for a free one. `config` is a folder of Istio YAML that replaces the
    base rules. `shared_address` gives instances ports instead of addresses of their own, as happens by itself
    where the system has only 127.0.0.1. `istiod` is the path of a stock pilot-discovery that takes the
    embedded control plane's place. `console` starts the lane console as well, which `url`/mesh shows.
    """

    def __init__(
        self,
        *,
        state: Path | str = ".mesh",
        config: Path | str | None = None,
        port: int = 9080,
        xds_port: int = 15010,
        admin_port: int = 15014,
        services: tuple[Service, ...] = SERVICES,
        shared_address: bool = False,
        istiod: Path | str | None = None,
        console: bool = False,
        on_change: Listener | None = None,
    ) -> None:
        self.state = StateFolder(state)
        self.down_requested = asyncio.Event()
        """Set when another shell asks for the end; whoever entered the mesh leaves it then."""
        self._config = Path(config) if config is not None else None
        self._asked_ports = (port, xds_port, admin_port)
        self._istiod = Path(istiod) if istiod is not None else None
        self._services = services
        self._shared_address = shared_address
        self._console = console
        self._listeners: list[Listener] = [on_change] if on_change else []
        self._phase: Literal["starting", "ready", "stopping"] = "starting"
        self._port = self._xds_port = self._admin_port = 0
        self._addresses: AddressBook | None = None
        self._group: ProcessGroup | None = None
        self._admin: Admin | None = None
        self._rules_or_none: RuleBook | None = None
        self._supervisor_or_none: Supervisor | None = None
        self._control: ControlServer | None = None

    # -- life

    async def __aenter__(self) -> Mesh:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def open(self) -> None:
        """Start everything; when that fails or is cancelled, nothing is left running."""
        self.state.acquire()
        try:
            await self._clean_up_after_a_crash()
            await self._assemble()
            await self._start()
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Stop everything and leave nothing but the logs."""
        self._phase = "stopping"
        try:
            if self._supervisor_or_none is not None:
                await self._supervisor_or_none.stop()
        finally:
            if self._group is not None:
                self._group.close()
            if self._control is not None:
                await self._control.close()
            if self._admin is not None:
                await self._admin.close()
            if self._addresses is not None:
                self._addresses.close()
            # Who was turned away because another mesh lives here must not clear that one's folder.
            if self.state.owned:
                self.state.clear()
                self.state.release()

    def kill_everything(self) -> None:
        """End every process this instant; `close` then finds nothing to wait for."""
        if self._group is not None:
            self._group.close()

    # -- where it is

    @property
    def url(self) -> str:
        """The page's door, without a slash at its end."""
        return f"http://{LOOPBACK}:{self._port}"

    @property
    def xds_address(self) -> str:
        """Where the control plane speaks xDS."""
        return f"{LOOPBACK}:{self._xds_port}"

    @property
    def console(self) -> ProcessStatus | None:
        """How the lane console is, which may still be starting when all else is ready; None without one."""
        unit = self._supervisor.console
        return unit.status() if unit is not None else None

    @property
    def admin_url(self) -> str:
        """Where the control plane answers questions."""
        return f"http://{LOOPBACK}:{self._admin_port}"

    @property
    def limits(self) -> tuple[str, ...]:
        """What this system cannot do for the mesh."""
        return self._addresses.limits if self._addresses is not None else ()

    # -- the verbs

    async def apply(self, *rules: str | Path, timeout: float = DEFAULT_TIMEOUT) -> Report:
        """Put rules in force, given as YAML text or as paths of files and folders; see `RuleBook.apply`."""
        return await self.apply_files(sources.as_files(rules), timeout)

    async def apply_files(
        self,
        files: sources.Files,
        timeout: float = DEFAULT_TIMEOUT,
        expected: Sequence[Expected] | None = None,
    ) -> Report:
        """Put rules in force, given as texts by label; Changed if an object is no more as expected."""
        return await self._rules.apply(files, timeout, expected)

    async def validate_files(self, files: sources.Files) -> Verdict:
        """What would be said to these rules, given as texts by label; nothing is changed."""
        return await self._rules.validate(files)

    async def delete(self, *rules: str | Path | Ref, timeout: float = DEFAULT_TIMEOUT) -> Report:
        """Take rules out of force, named by the YAML that brought them or one by one."""
        refs = [rule for rule in rules if isinstance(rule, Ref)]
        files = sources.as_files(rule for rule in rules if not isinstance(rule, Ref))
        refs += [item.ref for item in sources.objects_in(files)] if files else []
        return await self.delete_refs(refs, timeout)

    async def delete_refs(
        self,
        refs: list[Ref],
        timeout: float = DEFAULT_TIMEOUT,
        expected: Sequence[Expected] | None = None,
    ) -> Report:
        """Take these objects out of force; Changed if an object is no more as expected."""
        return await self._rules.delete(list(dict.fromkeys(refs)), timeout, expected)

    async def objects(self) -> list[MeshObject]:
        """Every object in force."""
        return self._rules.objects()

    async def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> ProcessStatus:
        """End a process, `ratings/v2` or `controlplane`: SIGKILL is a crash, SIGTERM a drain."""
        return await self._supervisor.kill(name, number)

    async def start(self, name: str) -> ProcessStatus:
        """Start a process that has ended; returns when it has its place in the mesh again."""
        status = await self._supervisor.start(name)
        await self.wait_for_clients()
        return status

    async def admit(self, guest: Mapping[str, Any]) -> ProcessStatus:
        """Start a process of the user's own as an instance; it gets calls when this returns."""
        return await self._supervisor.admit(guest_from(guest, self._services, self._rules.objects()))

    async def dismiss(self, name: str) -> None:
        """Drain a guest and forget it; nothing happens when there is none of this name."""
        await self._supervisor.dismiss(name)

    async def until(self, name: str, phase: Phase) -> ProcessStatus:
        """Wait until a process is in this phase (`died`, say) and its WorkloadEntry says so, too."""
        return await self._supervisor.unit(name).until(phase)

    async def environment(self, service: str, version: str = "v1") -> dict[str, str]:
        """What a process of one's own needs in its environment to join as this service and version."""
        if self._addresses is None:
            raise NotRunning("The mesh is only just starting.")
        return environment.outside_client(
            Instance(service, version), self._addresses.guest(), self.xds_address
        )

    async def request_down(self) -> None:
        """Ask whoever runs the mesh to end it."""
        self.down_requested.set()

    def log_of(self, name: str) -> Path:
        """The file with everything that this process wrote."""
        return self._supervisor.unit(name).log

    async def status(self) -> MeshStatus:
        """What is true of the mesh now."""
        processes = tuple(unit.status() for unit in self._supervisor.units)
        try:
            view = await self._require_admin().status(_STATUS_WAIT)
        except ControlPlaneGone:
            view = None
        shown = MeshStatus(
            phase=self._phase,
            url=self.url,
            console=self._console,
            xds_address=self.xds_address,
            admin_url=self.admin_url,
            state=str(self.state.path),
            processes=clients.with_xds_state(processes, view),
            limits=self.limits,
        )
        return clients.with_view(shown, view)

    async def wait_for_clients(self, timeout: float = READY_TIMEOUT) -> None:
        """Wait until every living instance that calls others is connected and has taken its configuration.

        MeshError names who has not within `timeout` seconds. Returns at once when there is no control plane.
        """
        expected = {
            instance.pod
            for instance, unit in self._supervisor.instances.items()
            if unit.ready and calls_others(self._services, instance)
        }
        if not self._supervisor.control_plane.ready:
            return
        lacking = await clients.wait_settled(self._require_admin(), expected, timeout)
        if lacking:
            details = [f"{pod} {what}" for pod, what in lacking.items()]
            raise MeshError("Not every instance has its place in the mesh.", details)

    # -- how it starts

    async def _clean_up_after_a_crash(self) -> None:
        await end_last_run(self.state)
        self.state.prepare()

    async def _assemble(self) -> None:
        port, xds_port, admin_port = self._asked_ports
        self._port = require_port(port, "productpage", "--port")
        self._xds_port = require_port(xds_port, "the control plane", "--xds-port")
        self._admin_port = require_port(admin_port, "the control plane's admin interface", "--admin-port")
        self._addresses = plan_addresses(
            instances_of(self._services), FRONT_DOOR, self._port, shared=self._shared_address
        )
        self._group = ProcessGroup(self.state.path)
        self._admin, program = self._control_plane()
        self._rules_or_none = RuleBook(Store(self.state.config), self._admin)
        self._supervisor_or_none = Supervisor(
            state=self.state,
            group=self._group.id,
            rules=self._rules,
            services=self._services,
            addresses=self._addresses,
            plane=program,
            xds_address=self.xds_address,
            changed=self._tell,
            console=ConsoleProgram(self.state.path, free_port()) if self._console else None,
        )
        self._control = ControlServer(self, self.state.socket_path())
        run = Run(
            supervisor=self._control.pid,
            group=self._group.id,
            socket=str(self._control.path),
            xds_address=self.xds_address,
        )
        self.state.write_run(run)
        await self._control.open()

    def _control_plane(self) -> tuple[Admin, Plane]:
        config, ports = self.state.config, (self._xds_port, self._admin_port)
        if self._istiod is None:
            return Admin(self.admin_url), plane.embedded(config, *ports)
        admin = IstiodAdmin(self.admin_url, config)
        return admin, istiod.stock(self._istiod, config, *ports, admin)

    async def _start(self) -> None:
        initial = self._initial_rules()
        await self._supervisor.control_plane.start()
        await self._rules.apply(initial)
        await self._supervisor.start_instances()
        await self.wait_for_clients()
        self._phase = "ready"

    def _initial_rules(self) -> sources.Files:
        given = sources.read_files([self._config or sources.BASE_RULES], recursive=True)
        defined = hosts_defined(sources.objects_in(given))
        begun = [service for service in self._services if not service.on_demand]
        entries = [service_entry(service) for service in begun if service.host not in defined]
        return {f"service {entry.ref.name}": entry.to_yaml() for entry in entries} | given

    def _tell(self, status: ProcessStatus) -> None:
        for listener in self._listeners:
            listener(status)

    @property
    def _rules(self) -> RuleBook:
        if self._rules_or_none is None:
            raise NotRunning("The mesh is only just starting.")
        return self._rules_or_none

    @property
    def _supervisor(self) -> Supervisor:
        if self._supervisor_or_none is None:
            raise NotRunning("The mesh is only just starting.")
        return self._supervisor_or_none

    def _require_admin(self) -> Admin:
        if self._admin is None:
            raise NotRunning("The mesh is only just starting.")
        return self._admin
