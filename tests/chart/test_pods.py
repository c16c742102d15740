"""Every Pod of every rendering: it may do little, it is asked how it is, and it ends in peace."""

from typing import Any

import pytest

from bookinfo_pb.v1 import details_pb2, ratings_pb2, reviews_pb2
from serving.settings import PORT
from tests.chart.rendering import Object, Rendering, every_rendering, render, rendered

_CONTRACTS = (details_pb2, ratings_pb2, reviews_pb2)
_GRPC_SERVICES = {each.full_name for m in _CONTRACTS for each in m.DESCRIPTOR.services_by_name.values()}


def containers(name: str) -> list[tuple[Object, Object]]:
    """Every version of a service with its one container."""
    found = []
    for deployment in rendered(name).versions():
        [container] = deployment["spec"]["template"]["spec"]["containers"]
        found.append((deployment, container))
    return found


# -- what it may do


@every_rendering
def test_every_pod_keeps_to_the_restricted_profile(name: str) -> None:
    """The one of kubernetes.io/docs/concepts/security/pod-security-standards, and read-only besides."""
    pods = list(rendered(name).pods())
    assert len(pods) > len(rendered(name).of("Deployment"))
    for _, spec in pods:
        assert {"hostNetwork", "hostPID", "hostIPC", "initContainers", "ephemeralContainers"}.isdisjoint(spec)
        security = spec["securityContext"]
        assert security["runAsNonRoot"] is True
        assert security.get("runAsUser", 1) > 0
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        for volume in spec.get("volumes", ()):
            [kind] = volume.keys() - {"name"}
            assert kind in {"configMap", "emptyDir", "projected"}
        for container in spec["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert "hostPort" not in str(container)


@every_rendering
def test_no_pod_gets_a_sidecar_or_services_in_its_environment(name: str) -> None:
    for metadata, spec in rendered(name).pods():
        assert metadata["labels"]["sidecar.istio.io/inject"] == "false"
        assert spec["enableServiceLinks"] is False


@every_rendering
def test_only_who_speaks_to_the_api_server_gets_a_token_for_it(name: str) -> None:
    for metadata, spec in rendered(name).pods():
        command = spec["containers"][0]["command"]
        assert spec["automountServiceAccountToken"] is ("prune" in command or "--write" in command), metadata
    assert all(each["automountServiceAccountToken"] is False for each in rendered(name).of("ServiceAccount"))


@every_rendering
def test_every_container_says_what_it_needs(name: str) -> None:
    for _, spec in rendered(name).pods():
        for container in spec["containers"]:
            assert container["resources"]["limits"]["memory"]
            assert container["image"].partition("/")[2] or container["image"]
            assert not container["image"].endswith(":")


def test_ids_are_those_of_the_values_and_left_out_where_they_are_null() -> None:
    assert all(spec["securityContext"]["runAsUser"] == 65532 for _, spec in rendered("default").pods())
    for _, spec in rendered("openshift").pods():
        assert {"runAsUser", "runAsGroup"}.isdisjoint(spec["securityContext"])


# -- what it is


@every_rendering
def test_a_deployment_is_named_by_service_and_version_and_runs_that_service(name: str) -> None:
    values = rendered(name).values
    services = values["services"].items()
    expected = {(service, version) for service, each in services for version in each["versions"]}
    assert len(expected) == len(containers(name))
    for deployment, container in containers(name):
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        place = labels["app"], labels["version"]
        expected.remove(place)
        assert deployment["spec"]["selector"]["matchLabels"] == {"app": place[0], "version": place[1]}
        slug = place[1].lower().replace(".", "-").replace("_", "-")
        assert deployment["metadata"]["name"] == f"{place[0]}-{slug}"
        assert container["name"] == place[0]
        assert container["command"] == ["python", "-m", place[0]]
        assert deployment["spec"]["template"]["spec"]["serviceAccountName"] == place[0]


def test_images() -> None:
    def image(name: str, service: str, version: str) -> str:
        deployment = rendered(name).named("Deployment", f"{service}-{version}")
        return str(deployment["spec"]["template"]["spec"]["containers"][0]["image"])

    assert image("default", "reviews", "v1") == "bookinfo:0.1.0"
    digest = "sha256:0123456789abcdef" + "0123456789abcdef" * 3
    assert image("production", "reviews", "v1") == f"registry.example.com:5000/team/bookinfo@{digest}"
    assert image("team", "reviews", "stars-2") == "registry.example.com/reviews:stars-2"
    assert image("team", "ratings", "v2") == "bookinfo:2.0.0"
    own_tag = {"ratings": {"versions": {"v2": {"image": {"tag": "2.0.0"}}}}}
    rendering = render({"image": {"digest": digest}, "services": own_tag})
    [container] = rendering.named("Deployment", "ratings-v2")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "bookinfo:2.0.0"


@pytest.mark.parametrize(("version", "replicas"), [("productpage-v1", 5), ("reviews-v1", 3)])
def test_replicas_are_those_of_the_version_or_of_all(version: str, replicas: int) -> None:
    assert rendered("production").named("Deployment", version)["spec"]["replicas"] == replicas


def test_resources_are_those_of_the_version_or_of_all() -> None:
    found = {d["metadata"]["name"]: container["resources"] for d, container in containers("team")}
    assert found["reviews-stars-2"] == {"limits": {"memory": "512Mi"}}
    assert found["reviews-v1"] == rendered("team").values["resources"]


# -- how it is asked how it is


@every_rendering
def test_probes_ask_the_port_that_is_served_for_a_service_that_is_served(name: str) -> None:
    for deployment, container in containers(name):
        port = container["ports"][0]
        assert str(port["containerPort"]) == PORT.default
        assert "PORT" not in {variable["name"] for variable in container["env"]}
        for kind in ("startupProbe", "readinessProbe", "livenessProbe"):
            probe = container[kind]
            if kind == "readinessProbe" and rendered(name).values["admin"]["enabled"]:
                assert probe["httpGet"] == {"path": "/readyz", "port": "admin"}
            elif "httpGet" in probe:
                assert deployment["metadata"]["labels"]["app"] == "productpage"
                assert probe["httpGet"] == {"path": "/health", "port": port["name"]}
            else:
                assert probe["grpc"]["port"] == port["containerPort"]
                assert kind == "readinessProbe" or "service" not in probe["grpc"]
        if "grpc" in container["readinessProbe"]:
            assert container["readinessProbe"]["grpc"]["service"] in _GRPC_SERVICES


@every_rendering
def test_a_service_leads_to_the_port_of_its_pods(name: str) -> None:
    rendering = rendered(name)
    for service in called(rendering):
        app = service["metadata"]["name"]
        [port] = service["spec"]["ports"]
        protocol = "http" if app == "productpage" else "grpc"
        assert port == {
            "name": f"{protocol}-{app}",
            "appProtocol": protocol,
            "port": 9080,
            "targetPort": protocol,
        }
        pods = [c for d, c in containers(name) if d["metadata"]["labels"]["app"] == app]
        assert pods
        assert all(c["ports"][0] == {"name": protocol, "containerPort": 9080} for c in pods)
        assert service["spec"]["selector"] == {"app": app}


def called(rendering: Rendering) -> list[Object]:
    """The Services by which services are called, without those that find their Pods."""
    return [each for each in rendering.of("Service") if each["spec"].get("clusterIP") != "None"]


# -- how it ends


@every_rendering
def test_a_pod_has_the_time_that_its_drain_takes(name: str) -> None:
    for deployment, container in containers(name):
        spec = deployment["spec"]["template"]["spec"]
        wanted = rendered(name).values["drain"]
        # Kubernetes up to 1.32 takes no sleep of nothing.
        sleep = {"preStop": {"sleep": {"seconds": wanted["preStopSeconds"]}}}
        assert container.get("lifecycle") == (sleep if wanted["preStopSeconds"] else None)
        assert spec["terminationGracePeriodSeconds"] > wanted["preStopSeconds"] + wanted["timeoutSeconds"]
        assert deployment["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


@every_rendering
def test_pods_of_a_version_are_spread_and_not_evicted_at_once(name: str) -> None:
    rendering = rendered(name)
    for deployment, _ in containers(name):
        labels = deployment["spec"]["selector"]["matchLabels"]
        for constraint in deployment["spec"]["template"]["spec"].get("topologySpreadConstraints", ()):
            assert constraint["labelSelector"] == {"matchLabels": labels}
            assert constraint["whenUnsatisfiable"] == rendering.values["topologySpread"]["whenUnsatisfiable"]
        if rendering.values["podDisruptionBudget"]["enabled"]:
            budget = rendering.named("PodDisruptionBudget", deployment["metadata"]["name"])
            assert budget["spec"]["selector"] == {"matchLabels": labels}
            assert budget["spec"]["maxUnavailable"] == 1


def test_where_pods_may_run() -> None:
    values: dict[str, Any] = dict(rendered("production").values)
    for _, spec in rendered("production").pods():
        assert spec["nodeSelector"] == values["nodeSelector"]
        assert spec["tolerations"] == values["tolerations"]
        assert spec["imagePullSecrets"] == [{"name": "registry"}]
