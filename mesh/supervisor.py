"""The processes of the mesh and what each of them means for the rules: who lives, has a WorkloadEntry."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from mesh import console, environment
from mesh.addresses import Address, AddressBook
from mesh.console import ConsoleProgram
from mesh.errors import MeshError
from mesh.guests import Guest, until_called
from mesh.inventory import (
    CONSOLE,
    CONTROL_PLANE,
    FRONT_DOOR,
    Instance,
    Service,
    find_instance,
    instances_of,
    on_demand,
)
from mesh.plane import Plane
from mesh.rulebook import RuleBook
from mesh.state import StateFolder
from mesh.status import ProcessStatus
from mesh.unit import Unit
from mesh.workloads import hosts_defined, service_entry, workload_entry, workload_ref

# More than a service's own drain takes: on a busy machine an end without a kill takes seconds, and whoever
# cannot wait sends a second signal.
_log = logging.getLogger(__name__)
STOP_GRACE = 15.0
# The console is an accessory: once everybody else serves it is waited for so long, then no more.
_CONSOLE_PATIENCE = 2.0
_CONSOLE_TIMEOUT = 600.0
# How long clients get to hear of an instance that comes or goes by somebody's wish.
_SETTLE_TIMEOUT = 10.0


class Supervisor:
    """Starts, kills and watches the control plane and the instances."""

    def __init__(
        self,
        *,
        state: StateFolder,
        group: int,
        rules: RuleBook,
        services: tuple[Service, ...],
        addresses: AddressBook,
        plane: Plane,
        xds_address: str,
        changed: Callable[[ProcessStatus], None],
        console: ConsoleProgram | None = None,
    ) -> None:
        self._state = state
        self._group = group
        self._rules = rules
        self._services = services
        self._addresses = addresses
        self._changed = changed
        self._xds_address = xds_address
        self._stopping = False
        self._console_url = console.url if console is not None else ""
        self.control_plane = self._control_plane_unit(plane)
        self.console = self._console_unit(console) if console is not None else None
        self._on_demand = on_demand(services)
        self.instances = {
            i: self._instance_unit(i) for i in instances_of(services) if i not in self._on_demand
        }
        self._console_start: asyncio.Task[None] | None = None
        self._guests: dict[Instance, Address] = {}
        """Whoever has ever been a guest keeps the address, so that addresses do not run out."""

    @property
    def units(self) -> list[Unit]:
        """Every process, the control plane first and the console last."""
        return [self.control_plane, *self.instances.values(), *filter(None, (self.console,))]

    def unit(self, name: str) -> Unit:
        """The process a user means; NotFound lists what there is."""
        if name == CONTROL_PLANE:
            return self.control_plane
        if name == CONSOLE and self.console is not None:
            return self.console
        return self.instances[find_instance(tuple(self.instances), name)]

    async def start_instances(self) -> None:
        """Start every instance; return when all serve. The first that fails is the error.

        The console starts along with them, and is no reason to fail, nor to wait for long.
        """
        tasks = [asyncio.create_task(unit.start()) for unit in self.instances.values()]
        if self.console is not None:
            self._console_start = asyncio.create_task(self._start_console(self.console), name="the console")
        try:
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if self._console_start is not None:
            await asyncio.wait((self._console_start,), timeout=_CONSOLE_PATIENCE)

    async def _start_console(self, unit: Unit) -> None:
        try:
            await unit.start()
        except MeshError as error:
            if not self._stopping:
                fields = {"event": "console_failed"}
                _log.warning("%s", " ".join([error.message, *error.details]), extra=fields)

    async def start(self, name: str) -> ProcessStatus:
        """Start one process; an instance gets calls when this returns."""
        if name not in (CONTROL_PLANE, CONSOLE):
            self._demand(find_instance((*self.instances, *self._waiting()), name))
        unit = self.unit(name)
        since = await self._rules.generation()
        await unit.start()
        if unit not in (self.control_plane, self.console) and since is not None:
            await self._rules.settle(_SETTLE_TIMEOUT, since)
        return unit.status()

    def _waiting(self) -> tuple[Instance, ...]:
        """Those on demand that nobody has asked for yet."""
        return tuple(instance for instance in self._on_demand if instance not in self.instances)

    def _demand(self, instance: Instance) -> None:
        if instance not in self.instances:
            self.instances[instance] = self._instance_unit(instance)

    async def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> ProcessStatus:
        """Send one process a signal; see `Unit.kill`."""
        return await self.unit(name).kill(number)

    async def stop(self) -> None:
        """End every process, the control plane last: clients need it until they are done."""
        self._stopping = True
        if self._console_start is not None:
            self._console_start.cancel()
            await asyncio.gather(self._console_start, return_exceptions=True)
        first = [*self.instances.values(), *filter(None, (self.console,))]
        await asyncio.gather(*(unit.stop(STOP_GRACE) for unit in first))
        await self.control_plane.stop(STOP_GRACE)

    async def admit(self, guest: Guest) -> ProcessStatus:
        """Start a process of the user's as one more instance; one of its name ends first."""
        name = str(guest.instance)
        if guest.instance in self.instances:
            if guest.instance not in self._guests:
                raise MeshError(f"{name} is an instance of the mesh's own; choose another version.")
            await self.dismiss(name)
        address = self._guests.get(guest.instance) or self._addresses.guest()
        self._guests[guest.instance] = address
        unit = self._guest_unit(guest, address)
        self.instances[guest.instance] = unit
        try:
            return await self.start(name)
        except BaseException:
            await self._forget(guest.instance)
            raise

    async def dismiss(self, name: str) -> None:
        """Drain a guest and forget it; nothing happens when there is none of this name."""
        instance = next((i for i in self._guests if str(i) == name and i in self.instances), None)
        if instance is None:
            return
        unit = self.instances[instance]
        if unit.ready:
            with contextlib.suppress(MeshError):  # it takes too long, or has just ended by itself
                await unit.kill(signal.SIGTERM)
        await self._forget(instance)

    async def _forget(self, instance: Instance) -> None:
        unit = self.instances.pop(instance, None)
        if unit is not None:
            await unit.stop(STOP_GRACE)
            await self._rules.withdraw([workload_ref(instance)])
            self._changed(unit.status())

    def _control_plane_unit(self, plane: Plane) -> Unit:
        return Unit(
            CONTROL_PLANE,
            self._xds_address,
            argv=plane.argv,
            env={**environment.plain(str(self._state.path)), **plane.env},
            log=self.log_of(CONTROL_PLANE),
            group=self._group,
            is_ready=plane.is_ready,
            is_waiting=plane.is_waiting,
            is_sound=plane.is_sound,
            changed=self._changed,
            on_up=plane.on_up,
            on_down=plane.on_down,
        )

    def _console_unit(self, program: ConsoleProgram) -> Unit:
        return Unit(
            CONSOLE,
            program.address,
            argv=program.argv,
            env=environment.plain(str(self._state.path)),
            log=self.log_of(CONSOLE),
            group=self._group,
            is_ready=console.says_serving,
            changed=self._changed,
            start_timeout=_CONSOLE_TIMEOUT,
        )

    def _instance_unit(self, instance: Instance) -> Unit:
        service = next(s for s in self._services if s.name == instance.service)
        address = self._addresses[instance]
        admin = self._addresses.admin(address)
        env = environment.of_instance(
            instance,
            address,
            self._xds_address,
            str(self._state.path),
            admin=admin,
        )
        if instance == FRONT_DOOR:
            env["DOOR_RULES"] = str(self._state.door_rules)
            env["CONSOLE_URL"] = self._console_url
        unit: Unit
        join, leave = self._place(instance, service, address, lambda: unit.alive)
        unit = Unit(
            str(instance),
            str(address),
            argv=[sys.executable, "-m", instance.service],
            env=env,
            log=self.log_of(instance.pod),
            group=self._group,
            is_ready=says_serving,
            changed=self._changed,
            on_up=join,
            on_down=leave,
            admin=str(admin),
        )
        return unit

    def _guest_unit(self, guest: Guest, address: Address) -> Unit:
        unit: Unit
        join, leave = self._place(guest.instance, guest.service, address, lambda: unit.alive)
        admin = self._addresses.admin(address)
        unit = Unit(
            str(guest.instance),
            str(address),
            argv=guest.argv,
            env=environment.of_instance(
                guest.instance,
                address,
                self._xds_address,
                str(self._state.path),
                guest.environment,
                admin=admin,
            ),
            log=self.log_of(guest.instance.pod),
            group=self._group,
            is_ready=says_serving,
            changed=self._changed,
            on_up=join,
            on_down=leave,
            answers=lambda: until_called(address),
            command=guest.command,
            admin=str(admin),
            directory=guest.directory,
            start_timeout=guest.start_timeout,
        )
        return unit

    def _place(
        self, instance: Instance, service: Service, address: Address, alive: Callable[[], bool]
    ) -> tuple[Callable[[], Awaitable[None]], Callable[[], Awaitable[None]]]:
        """How an instance gets its place in the mesh, and how it loses it."""

        async def join() -> None:
            own = [workload_entry(instance, service, address)]
            if service.on_demand and service.host not in hosts_defined(self._rules.objects()):
                own.insert(0, service_entry(service))
            await self._rules.publish(own)

        async def leave() -> None:
            if self._stopping:
                return  # everybody goes: nobody is left to tell
            draining = alive()
            since = await self._rules.generation() if draining else None
            await self._rules.withdraw([workload_ref(instance)])
            if since is not None:
                # Who drains is still there to serve: let no client be told too late.
                with contextlib.suppress(MeshError):
                    await self._rules.settle(_SETTLE_TIMEOUT, since)

        return join, leave

    def log_of(self, name: str) -> Path:
        """The file that holds everything the process wrote."""
        return self._state.logs / f"{name}.log"


def says_serving(line: str) -> bool:
    """Whether this log line of a service says that it serves."""
    if '"serving"' not in line:
        return False
    try:
        record = json.loads(line)
    except ValueError:
        return False
    return isinstance(record, dict) and record.get("event") == "serving"
