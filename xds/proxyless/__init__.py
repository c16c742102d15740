"""proxyless: a service mesh's xDS client inside a Python process, for grpc.aio. No sidecar, no agent."""

from typing import TYPE_CHECKING, Any

from .interrupts import quiet_imports

with quiet_imports():
    try:
        from .bootstrap import Bootstrap
        from .channel import Channel
        from .entry import Client, insecure_channel, secure_channel
        from .errors import (
            BootstrapError,
            ClosedError,
            ResourceError,
            TargetError,
            UnknownRouteError,
            XdsError,
        )
        from .observer import Attempt, Observer
    except ImportError as error:
        from .doctor import explained

        raise explained(error) from error

if TYPE_CHECKING:
    from .decision import Decision

__all__ = [
    "Attempt",
    "Bootstrap",
    "BootstrapError",
    "Channel",
    "Client",
    "ClosedError",
    "Decision",
    "Observer",
    "ResourceError",
    "TargetError",
    "UnknownRouteError",
    "XdsError",
    "insecure_channel",
    "secure_channel",
]


def __getattr__(name: str) -> Any:
    """Import what most processes never ask for when it is asked for (PEP 562)."""
    if name != "Decision":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from .decision import Decision  # noqa: PLC0415

    return Decision


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
