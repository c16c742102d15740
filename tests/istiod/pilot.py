"""A stock pilot-discovery, run for a moment over a directory of YAML."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

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


@dataclass(frozen=True)
class Certificate:
    """PEM files of a server that speaks TLS: its certificate, its key, and who signed it."""

    certificate: Path
    key: Path
    root: Path


@dataclass(frozen=True)
class Addresses:
    """Where a running one is: ADS as plaintext and over TLS, and what it shows for debugging."""

    plain: str
    secure: str
    debug: str


@contextlib.asynccontextmanager
async def run(
    binary: str,
    config: Path,
    tls: Certificate | None = None,
    environ: Mapping[str, str] = MappingProxyType({}),
) -> AsyncIterator[Addresses]:
    """Start the program over a directory and wait until it answers; it is gone afterwards.

    Without a certificate there is no TLS. Raises Refused.
    """
    grpc_port, secure_port, http_port, debug_port = _free_ports(4)
    secure = ["--secureGRPCAddr="]
    if tls is not None:
        secure = [f"--secureGRPCAddr={HOST}:{secure_port}", f"--caCertFile={tls.root}"]
        secure += [f"--tlsCertFile={tls.certificate}", f"--tlsKeyFile={tls.key}"]
    process = await asyncio.create_subprocess_exec(
        *(binary, "discovery", "--registries=", f"--configDir={config}", "--domain=cluster.local"),
        *(f"--grpcAddr={HOST}:{grpc_port}", f"--httpAddr={HOST}:{http_port}"),
        *(f"--monitoringAddr={HOST}:{debug_port}", "--httpsAddr=", "--ctrlz_port=0", *secure),
        env={**os.environ, "POD_NAMESPACE": "istio-system", "ENABLE_CA_SERVER": "false", **environ},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=config,
    )
    try:
        # The port opens when the first push context stands, so whoever connects gets the whole directory.
        await _until_open(process, grpc_port)
        if tls is not None:
            await _until_open(process, secure_port)
        yield Addresses(f"{HOST}:{grpc_port}", f"{HOST}:{secure_port}", f"http://{HOST}:{debug_port}")
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
