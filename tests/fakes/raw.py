"""HTTP by hand: requests that no client library would send, and what comes back."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass


@dataclass(frozen=True)
class Answer:
    """One response as it came over the wire; header names in lower case, the last of each."""

    status: int
    headers: dict[str, str]
    names: tuple[str, ...]
    body: bytes


def request(line: bytes, *fields: bytes, body: bytes = b"") -> bytes:
    """A request that asks for its connection to be closed."""
    return b"\r\n".join([line, b"Host: localhost", b"Connection: close", *fields, b"", body])


async def raw(address: str, data: bytes) -> list[Answer]:
    """Send bytes, and take what comes back as responses until the connection ends; none, if it breaks."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1 << 22)
    answers = []
    try:
        writer.write(data)
        while answer := await _answer(reader, data.startswith(b"HEAD")):
            answers.append(answer)
    except ConnectionError:
        pass  # it was closed before all of the request was read
    finally:
        writer.transport.abort()
    return answers


async def _answer(reader: asyncio.StreamReader, bare: bool) -> Answer | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as ended:
        assert not ended.partial, ended.partial
        return None
    status, *lines = head.decode("latin-1").rstrip("\r\n").split("\r\n")
    pairs = [line.partition(":")[::2] for line in lines]
    headers = {name.lower(): value.strip() for name, value in pairs}
    body = b"" if bare else await reader.readexactly(int(headers.get("content-length", "0")))
    return Answer(int(status.split()[1]), headers, tuple(name.lower() for name, _ in pairs), body)
