"""From nothing to bookinfo in a cluster: kind, Istiod and nothing else of Istio, the image, the chart.

Every step finds what is there already, so that a second `up` brings a change in and nothing else.
"""

from __future__ import annotations

from deploy.kind.pins import (
    CHART,
    CLUSTER,
    CONTEXT,
    DOCKERFILE,
    HERE,
    IMAGE,
    ISTIO,
    ISTIO_CHARTS,
    ISTIO_NAMESPACE,
    NAMESPACE,
    RELEASE,
)
from deploy.kind.shell import Shell

_HELM = ("helm", "upgrade", "--install", "--kube-context", CONTEXT, "--create-namespace", "--wait")
_TIMEOUT = ("--timeout", "5m")


def up(shell: Shell) -> None:
    """Bring the cluster up, with what is in the working tree."""
    shell.step(f"cluster {CLUSTER}")
    if CLUSTER in shell.ask("kind", "get", "clusters").splitlines():
        shell.say("    is there already")
    else:
        config = str(HERE / "cluster.yaml")
        shell.run("kind", "create", "cluster", "--name", CLUSTER, "--config", config, "--wait", "3m")

    shell.step(f"Istio {ISTIO}: its base and istiod, nothing else")
    _istio(shell, "istio-base", "base")
    _istio(shell, "istiod", "istiod", "--values", str(HERE / "istiod.yaml"))

    shell.step("image")
    image = _build(shell)
    shell.run("kind", "load", "docker-image", image, "--name", CLUSTER)

    shell.step("chart")
    repository, _, tag = image.partition(":")
    settings = ("--set", f"image.repository={repository}", "--set-string", f"image.tag={tag}")
    shell.run(*_HELM, *_TIMEOUT, "--namespace", NAMESPACE, *settings, RELEASE, str(CHART))

    shell.say(
        f"Bookinfo runs in the namespace {NAMESPACE} of {CONTEXT}. Next: make kind-demo, make kind-test, or\n"
        f"    kubectl --context {CONTEXT} -n {NAMESPACE} port-forward service/productpage 9080:9080\n"
        "and http://localhost:9080/productpage; make kind-down takes all of it away."
    )


def _istio(shell: Shell, release: str, chart: str, *values: str) -> None:
    source = ("--repo", ISTIO_CHARTS, "--version", ISTIO)
    shell.run(*_HELM, *_TIMEOUT, "--namespace", ISTIO_NAMESPACE, *source, *values, release, chart)


def _build(shell: Shell) -> str:
    """Build the image and return its name, whose tag is its own id: Pods change when the image does."""
    built = f"{IMAGE}:built"
    revision = shell.ask("git", "describe", "--always", "--dirty")
    arguments = ("--build-arg", f"REVISION={revision}", "--file", str(DOCKERFILE), "--tag", built)
    shell.run("docker", "build", *arguments, ".")
    digest = shell.ask("docker", "image", "inspect", "--format", "{{.Id}}", built)
    name = f"{IMAGE}:{digest.rpartition(':')[2][:12]}"
    shell.run("docker", "tag", built, name)
    return name
