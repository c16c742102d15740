"""A stock Istiod in the control plane's place.

It reads the same directory (`--configDir`) and runs without Kubernetes up to its 1.29 line.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from mesh.addresses import LOOPBACK, free_port
from mesh.errors import MeshError
from mesh.gate import Gate
from mesh.istiod_admin import IstiodAdmin
from mesh.plane import Plane


def version_of(binary: Path) -> str:
    """The version a pilot-discovery binary gives itself; MeshError if it is none."""
    try:
        said = subprocess.run(
            [str(binary), "version", "--short"], capture_output=True, text=True, timeout=30, check=True
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise MeshError(f"{binary} is not a pilot-discovery that runs: {error}") from None
    return said.stdout.strip().rpartition(" ")[2] or "of unknown version"


def _command(binary: Path, config: Path, xds_port: int, http_port: int) -> list[str]:
    """The command line that runs Istiod on this directory, on loopback and without Kubernetes."""
    return [
        *(str(binary), "discovery", "--registries=", f"--configDir={config}", "--domain=cluster.local"),
        *(f"--grpcAddr={LOOPBACK}:{xds_port}", "--secureGRPCAddr=", f"--httpAddr={LOOPBACK}:{http_port}"),
        *("--httpsAddr=", f"--monitoringAddr={LOOPBACK}:0", "--ctrlz_port=0"),
    ]


_ENVIRONMENT = {"POD_NAMESPACE": "istio-system", "ENABLE_CA_SERVER": "false"}


def _says_ready(line: str) -> bool:
    """Whether this line of its log says that Istiod serves."""
    return "marking server ready" in line


def stock(binary: Path, config: Path, xds_port: int, admin_port: int, admin: IstiodAdmin) -> Plane:
    """Istiod behind a gate that opens when it has every endpoint, as a Service waits for its readiness probe.

    About one start in three on a directory with WorkloadEntries leaves their endpoints out for good; a client
    that was sent that would fail its calls. Such a run never opens the gate and is started again.
    """
    behind = free_port(LOOPBACK, avoid=(xds_port, admin_port))
    gate = Gate((LOOPBACK, xds_port), (LOOPBACK, behind))
    return Plane(
        argv=_command(binary, config, behind, admin_port),
        env=_ENVIRONMENT,
        is_ready=_says_ready,
        is_sound=admin.has_endpoints,
        on_up=gate.open,
        on_down=gate.shut,
    )
