"""Addresses to listen on, and the reason when one cannot be had."""

from __future__ import annotations

import errno
import socket


class BindError(Exception):
    """An address that cannot be listened on; the message is one sentence."""


def host_port(host: str, port: int) -> str:
    """`host:port`, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def bind_fault(host: str, port: int) -> str | None:
    """Why `host:port` cannot be listened on, asked of the system; None when nothing is in the way."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen()
        except OSError as error:
            return explain(host, port, error)
    return None


def explain(host: str, port: int, error: OSError) -> str:
    """The system's refusal as one sentence."""
    where = host_port(host, port)
    if error.errno == errno.EADDRINUSE:
        return f"Cannot listen on {where}: the port is taken by another process."
    if error.errno == errno.EADDRNOTAVAIL:
        return f"Cannot listen on {where}: this machine has no such address."
    if error.errno in {errno.EACCES, errno.EPERM}:
        return f"Cannot listen on {where}: this user may not use the port."
    return f"Cannot listen on {where}: {error.strerror or error}."
