"""Who this process is and where its control plane lives, from a file or the environment (gRFC A27)."""

from __future__ import annotations

import ipaddress
import json
import logging
import os
import socket
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from msgspec import Struct

from .errors import BootstrapError
from .identity import ISTIO_ROOT, ISTIO_SERVER_NAME, ISTIO_TOKEN, TlsFiles

_log = logging.getLogger("proxyless")


@dataclass(frozen=True, slots=True)
class Locality:
    """Where the process runs."""

    region: str = ""
    zone: str = ""
    sub_zone: str = ""


@dataclass(frozen=True)
class Bootstrap:
    """The control plane's address and this node's identity.

    `from_env` is what a program wants; `from_json` and `from_file` read gRPC's bootstrap format (gRFC A27).
    All raise BootstrapError, naming the variable, file or field.
    """

    server: str
    """`host:port` of the control plane."""
    node_id: str
    """Who this process is, to the control plane (`Node.id`)."""
    cluster: str = ""
    """The group of processes it belongs to (`Node.cluster`)."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """What else the control plane is told (`Node.metadata`); Istiod reads labels and namespace from it."""
    locality: Locality = Locality()
    """Region, zone and sub-zone of the process (`Node.locality`)."""
    source: str = "code"
    """What it was read from, for messages."""
    tls: TlsFiles | None = None
    """How to reach the control plane over TLS; None is plaintext."""
    server_features: frozenset[str] = frozenset()
    """What the control plane is known for (gRFCs A53, A88); those without a meaning here are let be."""

    def __post_init__(self) -> None:
        metadata = json.dumps(dict(self.metadata), ensure_ascii=False)
        for field_, text in (("id", self.node_id), ("cluster", self.cluster), ("metadata", metadata)):
            try:
                text.encode()
            except UnicodeEncodeError as error:
                raise BootstrapError(f"{self.source}: node.{field_}: {text!r}: {error.reason}") from None

    @property
    def identity(self) -> str:
        """Two bootstraps with the same identity may share one Client."""
        tls = None if self.tls is None else asdict(self.tls)
        features = sorted(self.server_features)
        return json.dumps(
            [self.server, self.node_id, self.cluster, self.metadata, tls, features], sort_keys=True
        )

    @classmethod
    def from_env(cls, environ: Mapping[str, str] | None = None) -> Bootstrap:
        """Read GRPC_XDS_BOOTSTRAP (a file), else GRPC_XDS_BOOTSTRAP_CONFIG (JSON), else XDS_ADDRESS.

        Raises BootstrapError where none of them is set, or the one that is cannot be used.
        """
        environ = os.environ if environ is None else environ
        if path := environ.get("GRPC_XDS_BOOTSTRAP"):
            return cls.from_file(path)
        if text := environ.get("GRPC_XDS_BOOTSTRAP_CONFIG"):
            return cls.from_json(text, source="GRPC_XDS_BOOTSTRAP_CONFIG")
        if address := environ.get("XDS_ADDRESS"):
            return _from_pod(address, environ)
        raise BootstrapError(
            "no control plane is configured: set XDS_ADDRESS=host:port, "
            "GRPC_XDS_BOOTSTRAP (a file) or GRPC_XDS_BOOTSTRAP_CONFIG (JSON)"
        )

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Bootstrap:
        """Read gRPC's bootstrap JSON from a file.

        Raises BootstrapError where it cannot be read, or what it says cannot be used.
        """
        try:
            text = Path(path).read_text(encoding="utf-8")
        except OSError as error:
            raise BootstrapError(f"bootstrap file {os.fspath(path)!r}: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise BootstrapError(f"bootstrap file {os.fspath(path)!r}: {error}") from None
        return cls.from_json(text, source=os.fspath(path))

    @classmethod
    def from_json(cls, text: str, source: str = "bootstrap JSON") -> Bootstrap:
        """Read gRPC's bootstrap JSON; the first of its `xds_servers` is used, others are only logged.

        `source` is what errors call it. Raises BootstrapError, naming the field.
        """
        try:
            document = json.loads(text)
        except json.JSONDecodeError as error:
            raise BootstrapError(f"{source}: line {error.lineno}: {error.msg}") from None
        reader = _Reader(source)
        root = reader.object(document, "the document")
        servers = reader.list(root.get("xds_servers"), "xds_servers")
        if not servers:
            raise BootstrapError(f"{source}: xds_servers is empty")
        if len(servers) > 1:
            _report_ignored_servers(source, len(servers) - 1)
        server = reader.object(servers[0], "xds_servers[0]")
        tls = reader.credentials(server.get("channel_creds"))
        features = reader.list(server.get("server_features", []), "xds_servers[0].server_features")
        node = reader.object(root.get("node", {}), "node")
        locality = reader.object(node.get("locality", {}), "node.locality")
        return cls(
            server=host_port(
                reader.string(server.get("server_uri"), "xds_servers[0].server_uri"),
                f"{source}: xds_servers[0].server_uri",
            ),
            node_id=reader.string(node.get("id", ""), "node.id"),
            cluster=reader.string(node.get("cluster", ""), "node.cluster"),
            metadata=reader.object(node.get("metadata", {}), "node.metadata"),
            locality=Locality(
                *(
                    reader.string(locality.get(key, ""), f"node.locality.{key}")
                    for key in ("region", "zone", "sub_zone")
                )
            ),
            tls=tls,
            server_features=frozenset(
                reader.string(each, f"xds_servers[0].server_features[{i}]") for i, each in enumerate(features)
            ),
            source=source,
        )


@cache  # once: a program reads its bootstrap for every channel
def _report_ignored_servers(source: str, count: int) -> None:
    _log.warning("%s: xds_servers: %d after the first have no effect: there is no fallback", source, count)


class _Reader(Struct, frozen=True):
    source: str

    def _typed(self, value: Any, kind: type, word: str, where: str) -> Any:
        if not isinstance(value, kind):
            found = "missing" if value is None else f"{value!r}"
            raise BootstrapError(f"{self.source}: {where} must be {word}, but is {found}")
        return value

    def object(self, value: Any, where: str) -> dict[str, Any]:
        return dict(self._typed(value, dict, "an object", where))

    def list(self, value: Any, where: str) -> list[Any]:
        return list(self._typed(value, list, "a list", where))

    def string(self, value: Any, where: str) -> str:
        return str(self._typed(value, str, "a string", where))

    def credentials(self, value: Any) -> TlsFiles | None:
        """Take the first known type, as gRPC does: `insecure`, or `tls` with a `ca_certificate_file`."""
        where = "xds_servers[0].channel_creds"
        types = []
        for i, each in enumerate(self.list(value, where)):
            entry = self.object(each, f"{where}[{i}]")
            types.append(self.string(entry.get("type"), f"{where}[{i}].type"))
            if types[-1] == "insecure":
                return None
            if types[-1] == "tls":
                config = self.object(entry.get("config", {}), f"{where}[{i}].config")
                at = f"{where}[{i}].config.ca_certificate_file"
                return TlsFiles(self.string(config.get("ca_certificate_file"), at))
        raise BootstrapError(
            f"{self.source}: {where}: none of {types} is supported; supported are 'insecure' and 'tls'"
        )


def _from_pod(address: str, environ: Mapping[str, str]) -> Bootstrap:
    """The identity Istiod expects of a proxyless workload."""
    ip = environ.get("INSTANCE_IP") or "127.0.0.1"
    pod = environ.get("POD_NAME") or socket.gethostname()
    namespace = environ.get("POD_NAMESPACE") or "default"
    for variable, value in (("INSTANCE_IP", ip), ("POD_NAME", pod), ("POD_NAMESPACE", namespace)):
        if "~" in value or not value.isprintable() or " " in value:
            raise BootstrapError(f"{variable}={value!r}: may not hold `~` or white space")
    try:
        ipaddress.ip_address(ip)
    except ValueError:
        raise BootstrapError(f"INSTANCE_IP={ip!r}: is not an IP address") from None
    metadata: dict[str, Any] = {
        "GENERATOR": "grpc",
        "NAMESPACE": namespace,
        "CLUSTER_ID": environ.get("CLUSTER_ID") or "Kubernetes",
        "SERVICE_ACCOUNT": environ.get("SERVICE_ACCOUNT") or "default",
        "ISTIO_VERSION": environ.get("ISTIO_VERSION") or "1.29.0",
        "LABELS": _labels(environ.get("POD_LABELS", "")),
        "INSTANCE_IPS": ip,
        "PROXY_CONFIG": {},
    }
    server = host_port(address, "XDS_ADDRESS")
    return Bootstrap(
        server=server,
        node_id=f"sidecar~{ip}~{pod}.{namespace}~{namespace}.svc.cluster.local",
        metadata=metadata,
        tls=_istio_tls(server, metadata["CLUSTER_ID"], environ),
        server_features=frozenset(filter(None, environ.get("XDS_SERVER_FEATURES", "").split(","))),
        source="XDS_ADDRESS",
    )


def _istio_tls(server: str, cluster: str, environ: Mapping[str, str]) -> TlsFiles | None:
    """TLS as Istiod wants it: on its port 15012, or where a root certificate is named for another."""
    root = environ.get("XDS_ROOT_CERT")
    if not root and not server.endswith(":15012"):
        return None
    return TlsFiles(
        root=root or ISTIO_ROOT,
        server_name=environ.get("XDS_SERVER_NAME") or ISTIO_SERVER_NAME,
        token=environ.get("XDS_TOKEN") or ISTIO_TOKEN,
        metadata={"clusterid": cluster},
    )


def _labels(text: str) -> dict[str, str]:
    """Read POD_LABELS: `app=reviews,version=v2`."""
    labels = {}
    for item in filter(None, (part.strip() for part in text.split(","))):
        key, equals, value = item.partition("=")
        if not equals or not key:
            raise BootstrapError(f"POD_LABELS={text!r}: {item!r} is not key=value")
        labels[key] = value
    return labels


def host_port(text: str, source: str) -> str:
    """Return the address of a control plane; raises BootstrapError that names the source."""
    host, colon, port = text.removeprefix("dns:///").rpartition(":")
    digits = port.isascii() and port.isdigit() and len(port) <= 5
    if not colon or not host or not digits or not 0 < int(port) <= 65535:
        raise BootstrapError(f"{source}: {text!r} is not host:port")
    return f"{host}:{port}"
