"""The environment of each Pod, as the kubelet makes it, given to the code that reads it."""

import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import PurePosixPath

import proxyless
import pytest
import yaml
from opentelemetry.sdk import environment_variables as otel

from lanes.doorfile import parse_door
from productpage.settings import PageSettings
from serving.settings import Settings, target_of
from tests.chart.rendering import NAMESPACE, Object, every_rendering, rendered

IP = "10.0.0.7"
_REFERENCE = re.compile(r"\$\$|\$\(([A-Za-z0-9_.-]+)\)")


class Recording(dict[str, str]):
    """An environment that knows what was asked of it."""

    def __init__(self, variables: dict[str, str]) -> None:
        super().__init__(variables)
        self.asked: set[str] = set()

    def get(self, key: str, default: str | None = None) -> str | None:  # type: ignore[override]
        self.asked.add(key)
        return super().get(key, default)


def environment(metadata: Object, spec: Object, pod: str) -> dict[str, str]:
    """What a kubelet gives the first container of a Pod."""
    fields = {
        "metadata.name": pod,
        "metadata.namespace": NAMESPACE,
        "status.podIP": IP,
        "spec.serviceAccountName": spec.get("serviceAccountName", "default"),
        **{f"metadata.labels['{key}']": value for key, value in metadata["labels"].items()},
    }
    found: dict[str, str] = {}
    for variable in spec["containers"][0].get("env", ()):
        assert variable["name"] not in found
        match variable:
            case {"value": str(text)}:
                value = expanded(text, found)
            case {"valueFrom": {"fieldRef": {"fieldPath": path}}}:
                value = fields[path]
            case {"valueFrom": {"secretKeyRef": {"name": str(), "key": str()}}}:
                value = "a secret of sixteen bytes"
        found[variable["name"]] = value
    return found


def expanded(text: str, known: dict[str, str]) -> str:
    """`$(NAME)` as Kubernetes reads it: `$$` is one `$`, and an unknown name is left as it stands."""
    return _REFERENCE.sub(lambda m: known.get(m[1], m[0]) if m[1] else "$", text)


def deployments(name: str) -> Iterator[tuple[str, str, dict[str, str], Object]]:
    """Service, version, environment and Pod of every Deployment."""
    for each in rendered(name).versions():
        template = each["spec"]["template"]
        labels = template["metadata"]["labels"]
        variables = environment(template["metadata"], template["spec"], f"{each['metadata']['name']}-abc")
        yield labels["app"], labels["version"], variables, template["spec"]


@every_rendering
def test_every_variable_is_one_that_the_process_reads(name: str) -> None:
    of_otel = {value for key, value in vars(otel).items() if key.startswith("OTEL_")}
    for service, _, variables, _ in deployments(name):
        environ = Recording(variables)
        settings = Settings.read(service, environ)
        proxyless.Bootstrap.from_env(environ)
        if service == "productpage":
            PageSettings.read(settings, environ)
        assert environ.keys() - environ.asked - of_otel == set(), service


@every_rendering
def test_a_pod_is_to_the_mesh_who_kubernetes_says_it_is(name: str) -> None:
    values = rendered(name).values
    for service, version, variables, _ in deployments(name):
        pod = variables["POD_NAME"]
        bootstrap = proxyless.Bootstrap.from_env(variables)
        assert bootstrap.node_id == f"sidecar~{IP}~{pod}.{NAMESPACE}~{NAMESPACE}.svc.cluster.local"
        assert bootstrap.server == values["xds"]["address"]
        assert bootstrap.metadata["LABELS"] == {"app": service, "version": version}
        assert bootstrap.metadata["SERVICE_ACCOUNT"] == service
        assert bootstrap.metadata["CLUSTER_ID"] == values["xds"]["clusterId"]
        settings = Settings.read(service, variables)
        assert (settings.service, settings.version, settings.instance) == (service, version, pod)
        assert settings.namespace == NAMESPACE
        assert (
            target_of("reviews", settings, variables) == f"xds:///reviews.{NAMESPACE}.svc.cluster.local:9080"
        )


@every_rendering
def test_a_copy_of_a_deployment_with_other_labels_is_somebody_else(name: str) -> None:
    # This is how lanes start a version: the labels are changed and the image, and no variable.
    template = deepcopy(rendered(name).named("Deployment", "reviews-v1")["spec"]["template"])
    template["metadata"]["labels"]["version"] = "dev"
    variables = environment(template["metadata"], template["spec"], "reviews-dev-abc")
    assert proxyless.Bootstrap.from_env(variables).metadata["LABELS"] == {"app": "reviews", "version": "dev"}
    assert Settings.read("reviews", variables).version == "dev"


@every_rendering
def test_what_the_control_plane_asks_for_is_mounted_where_it_is_looked_for(name: str) -> None:
    for _, _, variables, spec in deployments(name):
        tls = proxyless.Bootstrap.from_env(variables).tls
        volumes = {volume["name"]: volume for volume in spec["volumes"]}
        mounts = {m["mountPath"]: volumes[m["name"]] for m in spec["containers"][0]["volumeMounts"]}
        if variables["XDS_ADDRESS"].endswith(":15010"):
            assert tls is None
            assert not [path for path in mounts if path.startswith("/var/run")]
            continue
        assert tls is not None
        token, root = PurePosixPath(tls.token), PurePosixPath(tls.root)
        [source] = mounts[str(token.parent)]["projected"]["sources"]
        assert source["serviceAccountToken"]["audience"] == "istio-ca"
        assert source["serviceAccountToken"]["path"] == token.name
        config_map = mounts[str(root.parent)]["configMap"]["name"]
        assert config_map == rendered(name).values["xds"]["rootCertConfigMap"]
        # The key that Istiod gives it in each namespace.
        assert root.name == "root-cert.pem"


def test_the_name_in_the_control_planes_certificate() -> None:
    def server_name(name: str) -> str:
        _, _, variables, _ = next(deployments(name))
        tls = proxyless.Bootstrap.from_env(variables).tls
        assert tls is not None
        return tls.server_name

    assert server_name("default") == "istiod.istio-system.svc"
    assert server_name("revision") == "istiod-1-29.mesh.svc"


@every_rendering
def test_port_forward_reaches_what_listens(name: str) -> None:
    # It connects to the loopback address inside the Pod, where a server on the Pod's address alone is not.
    for service, _, variables, _ in deployments(name):
        settings = Settings.read(service, variables)
        assert settings.bind_ip in {"0.0.0.0", "::"}
        # And the kubelet and Prometheus to the Pod's own, where one on loopback alone is not.
        assert settings.admin_ip == (settings.bind_ip if settings.admin_port else "127.0.0.1")


@every_rendering
def test_settings_are_those_of_the_values(name: str) -> None:
    values = rendered(name).values
    for service, _, variables, _ in deployments(name):
        settings = Settings.read(service, variables)
        assert settings.forwarding.key == values["laneKey"]
        assert settings.log_level == values["logLevel"]
        assert settings.drain_timeout == values["drain"]["timeoutSeconds"]
        assert {header.lower() for header in values["propagateHeaders"]} <= settings.forwarding.headers
        assert settings.labelled.named == frozenset(values["laneLabels"]["named"])
        assert settings.labelled.most == values["laneLabels"]["limit"]
        admin = values["admin"]
        assert settings.admin_port == (admin["port"] if admin["enabled"] else 0)
        assert settings.admin_readable is admin["readable"]
        assert variables.get(otel.OTEL_EXPORTER_OTLP_ENDPOINT, "") == values["otlp"]["endpoint"]


@pytest.mark.parametrize("name", ["default", "production"])
def test_the_door_is_that_of_the_values(name: str) -> None:
    wanted = rendered(name).values["door"]
    [(variables, spec)] = [(v, s) for service, _, v, s in deployments(name) if service == "productpage"]
    page = PageSettings.read(Settings.read("productpage", variables), variables)
    assert page.door.trust_baggage is wanted["trustBaggage"]
    assert page.lane_menu is wanted["laneMenu"]
    assert page.door.trust_end_user is wanted["trustEndUser"]
    assert page.call_timeout == wanted["callTimeoutSeconds"]
    assert ("SESSION_SECRET" in variables) is bool(wanted["sessionSecret"]["name"])
    assert page.door_rules is not None
    mounts = {each["mountPath"]: each for each in spec["containers"][0]["volumeMounts"]}
    mount = mounts[str(page.door_rules.parent)]
    assert "subPath" not in mount  # of which a change would never be seen
    volumes = {volume["name"]: volume for volume in spec["volumes"]}
    config_map = volumes[mount["name"]]["configMap"]
    assert config_map["optional"] is True
    if not wanted["rules"]:
        assert rendered(name).of("ConfigMap") == []
        return
    text = rendered(name).named("ConfigMap", config_map["name"])["data"][page.door_rules.name]
    assert yaml.safe_load(text)["rules"] == wanted["rules"]
    assert len(parse_door(text)) == len(wanted["rules"])
