"""proxyless: a service mesh's xDS client inside a Python process, for grpc.aio. No sidecar, no agent."""

from .interrupts import quiet_imports

with quiet_imports():
    try:
        from .bootstrap import Bootstrap
        from .channel import Channel
        from .decision import Decision
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
