"""A peer that speaks as much HTTP/2 as it takes to end calls as no gRPC server would."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from struct import pack
from types import TracebackType
from typing import TypeAlias

_DATA, _HEADERS, _RST_STREAM, _SETTINGS, _PING, _GOAWAY = 0, 1, 3, 4, 6, 7
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1
PREFACE = 24

End: TypeAlias = Callable[[asyncio.StreamWriter, int], None]
"""What is done with a request: given the connection and the number of its stream."""


def _frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload


def _fields(*pairs: tuple[str, str]) -> bytes:
    """A header block of literals without indexing (RFC 7541, 6.2.2)."""
    return b"".join(
        b"\x00" + bytes([len(name)]) + name.encode() + bytes([len(value)]) + value.encode()
        for name, value in pairs
    )


def reset(code: int) -> End:
    """Answer with RST_STREAM: 7 is REFUSED_STREAM, 2 INTERNAL_ERROR, 8 CANCEL."""
    return lambda writer, stream: writer.write(_frame(_RST_STREAM, 0, stream, pack(">I", code)))


def hang_up(writer: asyncio.StreamWriter, stream: int) -> None:
    """Close the connection."""
    writer.close()


def go_away(writer: asyncio.StreamWriter, stream: int) -> None:
    """Say that no stream was looked at, nor will be; who hears that closes the connection."""
    writer.write(_frame(_GOAWAY, 0, 0, pack(">II", 0, 0)))


def http(status: int) -> End:
    """Answer with an HTTP status and nothing of gRPC's."""
    block = _fields((":status", str(status)), ("content-type", "text/plain"))
    return lambda writer, stream: writer.write(_frame(_HEADERS, _END_HEADERS | _END_STREAM, stream, block))


def grpc(code: int, message: str = "as told") -> End:
    """Answer with a gRPC status alone, as a server of gRPC's would."""
    block = _fields(
        (":status", "200"),
        ("content-type", "application/grpc"),
        ("grpc-status", str(code)),
        ("grpc-message", message),
    )
    return lambda writer, stream: writer.write(_frame(_HEADERS, _END_HEADERS | _END_STREAM, stream, block))


def answer(writer: asyncio.StreamWriter, stream: int) -> None:
    """Answer with one message, `yes`."""
    headers = _fields((":status", "200"), ("content-type", "application/grpc"))
    writer.write(_frame(_HEADERS, _END_HEADERS, stream, headers))
    writer.write(_frame(_DATA, 0, stream, b"\x00" + pack(">I", 3) + b"yes"))
    writer.write(_frame(_HEADERS, _END_HEADERS | _END_STREAM, stream, _fields(("grpc-status", "0"))))


class Peer:
    """Listens on 127.0.0.1; ends requests in turn as `ends` says, and answers those after them."""

    def __init__(self, *ends: End) -> None:
        self._ends = list(ends)
        self.requests = 0
        self.address = ""
        self._socket: socket.socket | None = None
        self._talks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Peer:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.setblocking(False)
        self.address = f"127.0.0.1:{self._socket.getsockname()[1]}"
        asyncio.get_running_loop().add_reader(self._socket, self._accept, self._socket)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._socket is None:
            return
        asyncio.get_running_loop().remove_reader(self._socket)
        self._socket.close()
        self._socket = None
        for writer in self._writers:
            writer.close()
        if self._talks:
            await asyncio.wait(self._talks)

    def _accept(self, listening: socket.socket) -> None:
        """Talk; an asyncio.Server that is closed at this moment would leave the connection open."""
        try:
            connection, _ = listening.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = asyncio.create_task(self._talk(connection))
        self._talks.add(task)
        task.add_done_callback(self._talks.discard)

    async def _talk(self, connection: socket.socket) -> None:
        reader, writer = await asyncio.open_connection(sock=connection)
        self._writers.add(writer)
        try:
            if self._socket is None:
                return
            await reader.readexactly(PREFACE)
            writer.write(_frame(_SETTINGS, 0, 0))
            while True:
                head = await reader.readexactly(9)
                payload = await reader.readexactly(int.from_bytes(head[:3], "big"))
                kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big")
                if kind in (_SETTINGS, _PING) and not flags & _ACK:
                    writer.write(_frame(kind, _ACK, 0, payload if kind == _PING else b""))
                elif kind == _HEADERS:
                    self.requests += 1
                    end = self._ends.pop(0) if self._ends else answer
                    end(writer, stream)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the other side has hung up
        finally:
            self._writers.discard(writer)
            writer.close()
