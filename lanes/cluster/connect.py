"""Which cluster: what a kubeconfig or the pod this runs in says, made into an `Api`."""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import yaml
from kubernetes.aio.client import ApiClient, Configuration
from kubernetes.aio.config import ConfigException, kube_config, load_incluster_config

from lanes.cluster.api import Api
from lanes.cluster.inside import ACCOUNT, in_pod
from lanes.store import NoMesh

_UNREADABLE = (ConfigException, yaml.YAMLError, OSError, KeyError, TypeError, ValueError, AttributeError)
IN_POD = "this pod's cluster"


@asynccontextmanager
async def connected(context: str | None, namespace: str | None, kubeconfig: str | None) -> AsyncIterator[Api]:
    """The namespace meant; a pod of a cluster means its own unless a context or kubeconfig is named.

    Raises NoMesh for what cannot be read or does not exist.
    """
    configuration = Configuration()
    # Python 3.13 refuses certificates that kubectl takes; every other check stays.
    configuration.disable_strict_ssl_verification = True
    if context is None and kubeconfig is None and in_pod():
        cluster, found = _of_pod(configuration)
    else:
        cluster, found = await _of_kubeconfig(configuration, context, kubeconfig)
    try:
        client = ApiClient(configuration)
    except (ssl.SSLError, OSError, ValueError) as error:
        raise NoMesh(f"The certificates of {cluster} cannot be used: {error}.") from None
    try:
        yield Api(client, cluster, namespace or found or "default")
    finally:
        await client.close()


def _of_pod(configuration: Configuration) -> tuple[str, str]:
    try:
        load_incluster_config(configuration)
        return IN_POD, (ACCOUNT / "namespace").read_text(encoding="utf-8").strip()
    except (ConfigException, OSError) as error:
        raise NoMesh(f"The account of this pod at its API server cannot be used: {error}") from None


async def _of_kubeconfig(
    configuration: Configuration, context: str | None, kubeconfig: str | None
) -> tuple[str, str]:
    files = kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
    contexts, current = _contexts(files)
    wanted = context or current
    if wanted not in contexts:
        known = ", ".join(sorted(contexts)) or "none"
        asked = f"no context {wanted!r}" if wanted else "no current context; name one with --context"
        raise NoMesh(f"The kubeconfig {files} has {asked}; there are {known}.")
    with _complaints() as complaints:
        try:
            await kube_config.load_kube_config(
                files, wanted, client_configuration=configuration, persist_config=False
            )
        except _UNREADABLE as error:
            raise NoMesh(f"The context {wanted} of {files} cannot be used: {error}.") from None
    if complaints:
        raise NoMesh(f"The context {wanted} of {files} gives no credentials: {complaints[0]}.")
    return f"the context {wanted}", str(contexts[wanted].get("namespace") or "")


def _contexts(files: str) -> tuple[dict[str, dict[str, Any]], str]:
    """The contexts by name, and the current one."""
    if not any(Path(each).expanduser().is_file() for each in files.split(os.pathsep) if each):
        raise NoMesh(f"There is no kubeconfig {files}; name one with --kubeconfig or in KUBECONFIG.")
    try:
        merged = kube_config.KubeConfigMerger(files).config.value
        found = {each.value["name"]: each.value.get("context") or {} for each in merged["contexts"]}
        return found, str(merged.get("current-context") or "")
    except (ConfigException, yaml.YAMLError, OSError, UnicodeError) as error:
        reason = str(error).partition("\n")[0]
    except (KeyError, TypeError, AttributeError):
        reason = "it is not built as one"
    raise NoMesh(f"The kubeconfig {files} cannot be read: {reason}.")


@contextmanager
def _complaints() -> Iterator[list[str]]:
    """What the client logs where it cannot get credentials, and goes on without."""
    found: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(record.getMessage())

    listener = Listener(logging.ERROR)
    logger = logging.getLogger(kube_config.__name__)
    propagate, logger.propagate = logger.propagate, False
    logger.addHandler(listener)
    try:
        yield found
    finally:
        logger.removeHandler(listener)
        logger.propagate = propagate
