"""Settings from the environment: each variable is declared once, with its default, its help and its check."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from lanes.baggage import is_key
from lanes.context import Forwarding
from lanes.spec import lane_name_fault, version_fault
from telemetry.lane_labels import KnownLanes, Labelled

T = TypeVar("T")

_METADATA_KEY = re.compile(r"[a-z0-9_.-]+")
_RESERVED = frozenset({"te", "content-type", "user-agent", "host", "connection", "content-length"})
_DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


class SettingError(Exception):
    """A variable that cannot be used; the message is one sentence with its name, its value and the reason."""


@dataclass(frozen=True, slots=True)
class Variable(Generic[T]):
    """An environment variable; `check` turns text into the value or raises ValueError with the reason."""

    name: str
    default: str
    help: str
    check: Callable[[str], T]
    secret: bool = False

    def read(self, environ: Mapping[str, str]) -> T:
        """The value in this environment; set to nothing counts as not set. SettingError if it is unusable."""
        text = environ.get(self.name, "").strip() or self.default
        try:
            return self.check(text)
        except ValueError as error:
            shown = "…" if self.secret else repr(text)
            raise SettingError(f"{self.name}={shown} {error}.") from None


def text(value: str) -> str:
    """Any text."""
    return value


def flag(value: str) -> bool:
    """A yes or no."""
    if value.lower() in {"1", "true", "yes", "on"}:
        return True
    if value.lower() in {"", "0", "false", "no", "off"}:
        return False
    raise ValueError("is neither on nor off")


def port(value: str) -> int:
    """A TCP port; 0 lets the system choose."""
    if not (value.isascii() and value.isdigit()) or int(value) > 65535:
        raise ValueError("is not a port (0 to 65535)")
    return int(value)


def seconds(value: str) -> float:
    """A duration in seconds, up to an hour."""
    try:
        number = float(value)
    except ValueError:
        raise ValueError("is not a number of seconds") from None
    if not 0 <= number <= 3600:
        raise ValueError("is not within 0 and 3600 seconds")
    return number


def address(value: str) -> str:
    """An IP address, or nothing."""
    if not value:
        return ""
    try:
        return str(ipaddress.ip_address(value))
    except ValueError:
        raise ValueError("is not an IP address") from None


def version(value: str) -> str:
    """A version, which is the value of a Kubernetes label."""
    if fault := version_fault(value):
        raise ValueError(fault)
    return value


def dns_label(value: str) -> str:
    """A DNS label."""
    if not _DNS_LABEL.fullmatch(value):
        raise ValueError("is not a DNS label (a-z, 0-9 and '-', at most 63)")
    return value


def header(value: str) -> str:
    """The name of a header that may travel as gRPC metadata, in lower case; or nothing."""
    name = value.lower()
    if not name:
        return ""
    if not _METADATA_KEY.fullmatch(name) or name.endswith("-bin"):
        raise ValueError("is not the name of a text header")
    if name in _RESERVED or name.startswith("grpc-"):
        raise ValueError("is a header of the transport and cannot be used")
    return name


def headers(value: str) -> tuple[str, ...]:
    """Names of headers, separated by commas."""
    return tuple(header(part.strip()) for part in value.split(",") if part.strip())


def lane_key(value: str) -> str:
    """The key of a baggage member."""
    if not is_key(value):
        raise ValueError("cannot be the key of a baggage member")
    return value


def lane_names(value: str) -> tuple[str, ...]:
    """Names of lanes, separated by commas."""
    names = tuple(part.strip() for part in value.split(",") if part.strip())
    for name in names:
        if fault := lane_name_fault(name):
            raise ValueError(f"names a lane {name!r}, which {fault}")
    return names


def few(value: str) -> int:
    """A number up to 1000."""
    if not (value.isascii() and value.isdigit()) or int(value) > 1000:
        raise ValueError("is not a number (0 to 1000)")
    return int(value)


def log_level(value: str) -> str:
    """A level of the logging module."""
    if value.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
        raise ValueError("is none of DEBUG, INFO, WARNING and ERROR")
    return value.upper()


def target(value: str) -> str:
    """A gRPC target: `xds:///host:port`, or `host:port` to connect directly."""
    if value and (any(c.isspace() or not c.isprintable() for c in value) or value.endswith("/")):
        raise ValueError("is not a gRPC target")
    return value


SERVICE_VERSION = Variable("SERVICE_VERSION", "v1", "the version this process is", version)
PORT = Variable("PORT", "9080", "the port to listen on; 0 lets the system choose", port)
INSTANCE_IP = Variable("INSTANCE_IP", "", "the address of this instance, its identity in the mesh", address)
BIND_IP = Variable("BIND_IP", "", "the address to listen on; INSTANCE_IP if not set, else 0.0.0.0", address)
ADMIN_PORT = Variable(
    "ADMIN_PORT",
    "0",
    "the port that answers /healthz, /readyz, /metrics, /config_dump, /explain, /lanes, /spans and "
    "/loglevel; 0 for none",
    port,
)
ADMIN_IP = Variable(
    "ADMIN_IP",
    "",
    "the address of ADMIN_PORT; INSTANCE_IP if that is loopback, else 127.0.0.1. On another, such as "
    "0.0.0.0, other machines are told /healthz, /readyz and /metrics",
    address,
)
ADMIN_READABLE = Variable(
    "ADMIN_READABLE",
    "false",
    "whether other machines are told the rest as well; nothing lets them change anything",
    flag,
)
POD_NAME = Variable("POD_NAME", "", "the name of this instance; SERVICE-VERSION if not set", text)
POD_NAMESPACE = Variable(
    "POD_NAMESPACE", "default", "the namespace of this instance and its services", dns_label
)
PROPAGATE_HEADERS = Variable(
    "PROPAGATE_HEADERS", "", "further headers to pass from hop to hop, separated by commas", headers
)
LANE_KEY = Variable("LANE_KEY", "env", "the member of `baggage` that names the lane", lane_key)
LANES_LABELLED = Variable(
    "LANES_LABELLED", "", "lanes that metrics always tell apart, separated by commas", lane_names
)
LANES_LABELLED_LIMIT = Variable(
    "LANES_LABELLED_LIMIT",
    "0",
    "how many more lanes a service tells apart that holds no routes, and so cannot know which there are: "
    "the first it sees",
    few,
)
LOG_LEVEL = Variable("LOG_LEVEL", "INFO", "DEBUG, INFO, WARNING or ERROR", log_level)
DRAIN_TIMEOUT = Variable("DRAIN_TIMEOUT", "10", "seconds that calls in flight get on SIGTERM", seconds)

COMMON: tuple[Variable[object], ...] = (
    SERVICE_VERSION,
    PORT,
    INSTANCE_IP,
    BIND_IP,
    ADMIN_PORT,
    ADMIN_IP,
    ADMIN_READABLE,
    POD_NAME,
    POD_NAMESPACE,
    PROPAGATE_HEADERS,
    LANE_KEY,
    LANES_LABELLED,
    LANES_LABELLED_LIMIT,
    LOG_LEVEL,
    DRAIN_TIMEOUT,
)  # type: ignore[assignment]  # a Variable is only read from


@dataclass(frozen=True, slots=True)
class Settings:
    """What every service is told."""

    service: str
    version: str
    port: int
    bind_ip: str
    admin_port: int
    """0 for none."""
    admin_ip: str
    admin_readable: bool
    instance: str
    namespace: str
    forwarding: Forwarding
    labelled: Labelled
    log_level: str
    drain_timeout: float

    @classmethod
    def read(cls, service: str, environ: Mapping[str, str]) -> Settings:
        """The settings of `service` in this environment; SettingError names the first that cannot be used."""
        number = SERVICE_VERSION.read(environ)
        instance_ip = INSTANCE_IP.read(environ)
        return cls(
            service=service,
            version=number,
            port=PORT.read(environ),
            bind_ip=BIND_IP.read(environ) or instance_ip or "0.0.0.0",
            admin_port=ADMIN_PORT.read(environ),
            admin_ip=ADMIN_IP.read(environ) or _own_loopback(instance_ip),
            admin_readable=ADMIN_READABLE.read(environ),
            instance=POD_NAME.read(environ) or f"{service}-{number}",
            namespace=POD_NAMESPACE.read(environ),
            forwarding=Forwarding(LANE_KEY.read(environ)).also(PROPAGATE_HEADERS.read(environ)),
            labelled=Labelled(
                frozenset(LANES_LABELLED.read(environ)),
                LANES_LABELLED_LIMIT.read(environ),
                lambda name: lane_name_fault(name) is None,
            ),
            log_level=LOG_LEVEL.read(environ),
            drain_timeout=DRAIN_TIMEOUT.read(environ),
        )

    def known_lanes(self) -> KnownLanes:
        """The lanes that metrics tell apart, for a process that holds no routes as yet."""
        return KnownLanes(self.forwarding.key, labelled=self.labelled)


def _own_loopback(instance_ip: str) -> str:
    """Where several instances share a machine each has a loopback address of its own; a Pod has 127.0.0.1."""
    own = instance_ip and ipaddress.ip_address(instance_ip).is_loopback
    return instance_ip if own else "127.0.0.1"


def target_variable(service: str) -> Variable[str]:
    """The variable that says where `service` is; see `target_of` for its default."""
    return Variable(
        f"{service.upper()}_TARGET",
        "",
        f"where {service} is: an xds:/// target, or host:port to connect directly; "
        f"xds:///{service}.POD_NAMESPACE.svc.cluster.local:9080 if not set",
        target,
    )


def target_of(service: str, settings: Settings, environ: Mapping[str, str]) -> str:
    """Where `service` is found; SettingError if the variable cannot be used."""
    chosen = target_variable(service).read(environ)
    return chosen or f"xds:///{service}.{settings.namespace}.svc.cluster.local:9080"
