"""Where each instance listens: an address of its own in 127.0.0.0/8, or a port of its own on 127.0.0.1."""

from __future__ import annotations

import errno
import random
import socket
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mesh.errors import MeshError
from mesh.inventory import SERVICE_PORT, Instance

LOOPBACK = "127.0.0.1"
BLOCKS = range(250)
DOOR_ADMIN = 10
FIRST_INSTANCE = 11
FIRST_SPARE = 101
LAST_SPARE = 250
GUARD_HOST = 254
GUARD_PORT = 15099
ADMIN_PORT = 15000
"""Where an instance shows its configuration, as Envoy does in a Pod."""
# Below Linux's ephemeral range: a client that keeps dialling a dead port in that range can be given the very
# port as its own source port, and is then connected to itself.
FREE_PORTS = range(20000, 32000)
_TRIES = 500

_ASKED = "instances share 127.0.0.1, as --shared-address asks, and are told apart by their ports"
_NO_OTHER = "this system has only 127.0.0.1, so instances share it and are told apart by their ports"
_NOT_BY_IP = (
    "Istio finds a workload by its IP, so rules about who calls (sourceLabels, say) may not tell them apart"
)


@dataclass(frozen=True)
class Address:
    """An IP and a port to listen on."""

    ip: str
    port: int

    def __str__(self) -> str:
        return f"{self.ip}:{self.port}"


def block_address(block: int, host: int) -> str:
    """The address of a host in one of the /24 blocks a mesh may take."""
    return f"127.77.{block}.{host}"


def bind_error(ip: str, port: int) -> int:
    """The errno with which listening there would fail, 0 when it would not."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # Without it a connection in TIME_WAIT from the last run would look like a listener.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((ip, port))
            probe.listen(1)
        except OSError as error:
            return error.errno or errno.EADDRINUSE
    return 0


def require_port(port: int, what: str, option: str, ip: str = LOOPBACK) -> int:
    """The port asked for, or a free one for 0; a port that is taken is an error that names the way out."""
    if port == 0:
        return free_port(ip)
    failure = bind_error(ip, port)
    if failure == errno.EADDRINUSE:
        raise MeshError(f"Port {port} for {what} is taken on {ip}; choose another with {option}.")
    if failure:
        raise MeshError(f"Cannot listen on {ip}:{port} for {what}: {errno.errorcode.get(failure, failure)}.")
    return port


def free_port(*ips: str, avoid: Iterable[int] = ()) -> int:
    """A port nobody listens on at any of these addresses."""
    candidates = sorted(set(FREE_PORTS).difference(avoid))
    for port in random.sample(candidates, k=min(len(candidates), _TRIES)):
        if not any(bind_error(ip, port) for ip in ips or (LOOPBACK,)):
            return port
    raise MeshError("No free port was found on 127.0.0.1.")


class AddressBook:
    """The addresses of one mesh; what it holds is its own until `close`."""

    def __init__(
        self,
        addresses: dict[Instance, Address],
        spares: Iterator[str],
        *,
        limits: tuple[str, ...] = (),
        guard: socket.socket | None = None,
        door_admin: Address | None = None,
    ) -> None:
        self._addresses = addresses
        self._spares = spares
        self._guard = guard
        self._door_admin = door_admin
        self._shared_admins: dict[Address, Address] = {}
        self.limits = limits

    def __getitem__(self, instance: Instance) -> Address:
        return self._addresses[instance]

    def spare(self) -> str:
        """An address nobody has had yet, for a client that joins from outside."""
        address = next(self._spares, None)
        if address is None:
            raise MeshError("Every spare address of this mesh has been handed out; restart it for more.")
        return address

    def guest(self) -> Address:
        """An address nobody has had yet, for a process of the user's that the mesh starts."""
        ip = self.spare()
        if ip != LOOPBACK and not bind_error(ip, SERVICE_PORT):
            return Address(ip, SERVICE_PORT)
        return Address(ip, free_port(ip, avoid=self._ports()))

    def admin(self, address: Address) -> Address:
        """Where the instance at this address has its admin port, the same whenever it is asked for.

        127.0.0.1 is everybody's, so the door's is on an address of its own like the others'; where all share
        that one, each has a port of its own.
        """
        if self._door_admin is None:
            if address not in self._shared_admins:
                self._shared_admins[address] = Address(LOOPBACK, free_port(avoid=self._ports()))
            return self._shared_admins[address]
        return Address(self._door_admin.ip if address.ip == LOOPBACK else address.ip, self._door_admin.port)

    def _ports(self) -> set[int]:
        """Every port that is an instance's, whether it runs or not."""
        known = (*self._addresses.values(), *self._shared_admins, *self._shared_admins.values())
        return {address.port for address in known}

    def close(self) -> None:
        """Let another mesh have the block."""
        if self._guard is not None:
            self._guard.close()


def plan_addresses(
    instances: Iterable[Instance], door: Instance, door_port: int, *, shared: bool = False
) -> AddressBook:
    """Give every instance its address; the door is the one instance on 127.0.0.1, where a browser looks."""
    others = [instance for instance in instances if instance != door]
    at_door = {door: Address(LOOPBACK, door_port)}
    if not shared:
        taken = _take_block(len(others))
        if taken is not None:
            block, guard, port = taken
            mine = {
                instance: Address(block_address(block, FIRST_INSTANCE + index), port)
                for index, instance in enumerate(others)
            }
            spares = (block_address(block, host) for host in range(FIRST_SPARE, LAST_SPARE + 1))
            door_admin = block_address(block, DOOR_ADMIN)
            ips = [door_admin, *_instance_ips(block, len(others))]
            free = not any(bind_error(ip, ADMIN_PORT) for ip in ips)
            admin_port = ADMIN_PORT if free else free_port(*ips, avoid=[port])
            return AddressBook(
                at_door | mine, spares, guard=guard, door_admin=Address(door_admin, admin_port)
            )
    ports: list[int] = [door_port]
    for _ in others:
        ports.append(free_port(LOOPBACK, avoid=ports))
    mine = {i: Address(LOOPBACK, port) for i, port in zip(others, ports[1:], strict=True)}
    limits = (_ASKED if shared else _NO_OTHER, _NOT_BY_IP)
    return AddressBook(at_door | mine, iter([LOOPBACK] * LAST_SPARE), limits=limits)


def _take_block(count: int) -> tuple[int, socket.socket, int] | None:
    """A block whose addresses are free, held by its guard socket; None where there is only 127.0.0.1."""
    held: tuple[int, socket.socket] | None = None
    for block in BLOCKS:
        try:
            guard = _guard(block)
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                return None
            continue
        if not any(bind_error(ip, SERVICE_PORT) for ip in _instance_ips(block, count)):
            if held is not None:
                held[1].close()
            return block, guard, SERVICE_PORT
        if held is None:
            held = (block, guard)
        else:
            guard.close()
            if block > held[0] + 8:
                break  # somebody listens on the service port of every address: looking further is no use
    if held is None:
        return None
    block, guard = held
    return block, guard, free_port(*_instance_ips(block, count))


def _instance_ips(block: int, count: int) -> list[str]:
    return [block_address(block, FIRST_INSTANCE + index) for index in range(count)]


def _guard(block: int) -> socket.socket:
    # Bound for as long as the mesh lives: a killed instance leaves its address free, and another mesh that
    # starts at that moment must still see that the block is somebody's.
    guard = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        guard.bind((block_address(block, GUARD_HOST), GUARD_PORT))
    except OSError:
        guard.close()
        raise
    return guard
