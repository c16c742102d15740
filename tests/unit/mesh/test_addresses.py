"""An address for each instance; two meshes on one machine never share one."""

import errno
import socket
from contextlib import closing

import pytest

from mesh import addresses
from mesh.addresses import LOOPBACK, AddressBook, free_port, plan_addresses, require_port
from mesh.errors import MeshError
from mesh.inventory import BOOKINFO, FRONT_DOOR, instances_of

INSTANCES = instances_of(BOOKINFO)
BEHIND = [instance for instance in INSTANCES if instance != FRONT_DOOR]


def plan(*, shared: bool = False) -> AddressBook:
    return plan_addresses(INSTANCES, FRONT_DOOR, 9999, shared=shared)


def ips(book: AddressBook) -> set[str]:
    return {book[instance].ip for instance in BEHIND}


def block_of(book: AddressBook) -> set[str]:
    return {ip.rpartition(".")[0] for ip in ips(book)}


def test_each_instance_has_an_ip_of_its_own_and_the_door_is_on_loopback() -> None:
    with closing(plan()) as book:
        assert len(ips(book)) == len(BEHIND)
        assert len(block_of(book)) == 1
        assert (book[FRONT_DOOR].ip, book[FRONT_DOOR].port) == (LOOPBACK, 9999)
        assert len({book[instance].port for instance in BEHIND}) == 1


def test_each_instance_has_an_admin_port_on_an_address_of_its_own() -> None:
    with closing(plan()) as book:
        found = [book.admin(book[instance]) for instance in INSTANCES] + [book.admin(book.guest())]
        assert len({each.ip for each in found}) == len(found)
        assert {each.ip.rpartition(".")[0] for each in found} == block_of(book)
        assert len({each.port for each in found}) == 1


def test_two_meshes_take_two_blocks_and_a_closed_one_is_free_again() -> None:
    with closing(plan()) as first, closing(plan()) as second:
        assert not block_of(first) & block_of(second)
        freed = block_of(first)
        first.close()
        with closing(plan()) as third:
            assert block_of(third) == freed


def test_spares_are_new_every_time_and_nobodys() -> None:
    with closing(plan()) as book:
        spares = [book.spare() for _ in range(100)]
        assert len(set(spares)) == 100
        assert not set(spares) & ips(book)


def test_a_service_port_taken_on_every_address_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    real = addresses.bind_error
    monkeypatch.setattr(
        addresses, "bind_error", lambda ip, port: errno.EADDRINUSE if port == 9080 else real(ip, port)
    )
    with closing(plan()) as book:
        assert len(ips(book)) == len(BEHIND)
        assert {book[instance].port for instance in BEHIND} & {9080} == set()


def test_where_there_is_only_loopback_ports_differ_and_the_limits_are_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_such_address(_: int) -> socket.socket:
        raise OSError(errno.EADDRNOTAVAIL, "no such address")

    monkeypatch.setattr(addresses, "_guard", no_such_address)
    with closing(plan()) as book:
        assert ips(book) == {LOOPBACK}
        assert len({book[instance].port for instance in INSTANCES}) == len(INSTANCES)
        assert any("127.0.0.1" in limit for limit in book.limits)
        theirs = [book[instance] for instance in INSTANCES]
        for _ in range(3):
            admins = [book.admin(address) for address in theirs]
            theirs.append(book.guest())
        assert {address.ip for address in admins} == {LOOPBACK}
        ports = [address.port for address in (*theirs, *admins)]
        assert len(set(ports)) == len(ports)
        assert [book.admin(address) for address in theirs][: len(admins)] == admins


def test_own_addresses_have_no_limits() -> None:
    with closing(plan()) as book:
        assert book.limits == ()


def test_a_taken_port_is_one_sentence_that_names_the_way_out() -> None:
    with socket.create_server((LOOPBACK, 0)) as holder:
        port = holder.getsockname()[1]
        with pytest.raises(MeshError, match=rf"^Port {port} for the page is taken .* --port\.$"):
            require_port(port, "the page", "--port")


def test_port_zero_is_any_free_port_outside_the_ephemeral_range() -> None:
    assert require_port(0, "the page", "--port") in addresses.FREE_PORTS
    assert free_port(avoid=set(addresses.FREE_PORTS) - {free_port()})


def test_no_free_port_is_an_error() -> None:
    with pytest.raises(MeshError, match="No free port"):
        free_port(avoid=addresses.FREE_PORTS)
