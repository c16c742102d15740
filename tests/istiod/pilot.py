"""A stock pilot-discovery, run for a moment over a directory of YAML."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

HOST = "127.0.0.1"
START_SECONDS = 20.0


class Refused(Exception):
    """It ended at once: something of the directory is refused, which it does not start with."""


_given_out: set[int] = set()


def _free_ports(count: int) -> list[int]:
    """Ports that are free and were never given out before: another Istiod may be about to listen on those."""
    found: list[int] = []
    while len(found) < count:
        with socket.create_server((HOST, 0)) as server:
            port = int(server.getsockname()[1])
        if port not in _given_out:
            _given_out.add(port)
            found.append(port)
    return found


@contextlib.asynccontextmanager
async def run(binary: str, config: Path) -> AsyncIterator[str]:
    """Start the program over a directory and wait until it answers; it is gone afterwards.

    Gives the address of its ADS port. Raises Refused.
    """
    grpc_port, http_port, debug_port = _free_ports(3)
    process = await asyncio.create_subprocess_exec(
        *(binary, "discovery", "--registries=", f"--configDir={config}", "--domain=cluster.local"),
        *(f"--grpcAddr={HOST}:{grpc_port}", f"--httpAddr={HOST}:{http_port}"),
        *(f"--monitoringAddr={HOST}:{debug_port}", "--secureGRPCAddr=", "--httpsAddr=", "--ctrlz_port=0"),
        env={**os.environ, "POD_NAMESPACE": "istio-system", "ENABLE_CA_SERVER": "false"},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=config,
    )
    try:
        # The port opens when the first push context stands, so whoever connects gets the whole directory.
        await _until_open(process, grpc_port)
        yield f"{HOST}:{grpc_port}"
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _until_open(process: asyncio.subprocess.Process, port: int) -> None:
    async with asyncio.timeout(START_SECONDS):
        while True:
            try:
                _, writer = await asyncio.open_connection(HOST, port)
            except OSError:
                if process.returncode is not None:
                    raise Refused from None
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return


async def version(binary: str) -> str:
    """What the program says it is, as `1.29.6`."""
    process = await asyncio.create_subprocess_exec(
        binary, "version", "--short", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    out, _ = await process.communicate()
    return out.decode().split()[-1].partition("-")[0]
