"""values.schema.json: what is misspelt or of the wrong kind is an error with its path."""

from typing import Any

import proxyless
import pytest
import yaml

from lanes.baggage import is_key
from lanes.doorfile import DoorError, parse_door
from lanes.spec import lane_name_fault, version_fault
from serving.settings import Settings, header
from tests.chart.rendering import CHART, chart, helm, render

BAD: list[tuple[dict[str, Any], str]] = [
    # misspelt
    ({"imge": {}}, "at '': additional properties 'imge' not allowed"),
    ({"image": {"name": "x"}}, "at '/image': additional properties 'name' not allowed"),
    ({"xds": {"adress": "a:1"}}, "at '/xds': additional properties 'adress' not allowed"),
    ({"door": {"trustBagage": True}}, "at '/door': additional properties 'trustBagage'"),
    ({"door": {"sessionSecret": {"nme": "x"}}}, "at '/door/sessionSecret': additional properties 'nme'"),
    ({"lanes": {"dev": {"service": {}}}}, "at '/lanes/dev': additional properties 'service'"),
    ({"services": {"reviews": {"verions": {}}}}, "at '/services/reviews': additional properties 'verions'"),
    (
        {"services": {"reviews": {"versions": {"v1": {"replica": 2}}}}},
        "at '/services/reviews/versions/v1': additional properties 'replica' not allowed",
    ),
    (
        {"services": {"reviews": {"versions": {"v1": {"image": {"pullPolicy": "Always"}}}}}},
        "at '/services/reviews/versions/v1/image': additional properties 'pullPolicy' not allowed",
    ),
    ({"resources": {"limit": {}}}, "at '/resources': additional properties 'limit' not allowed"),
    ({"resources": {"limits": {"mem": "1Gi"}}}, "at '/resources/limits': additional properties 'mem'"),
    ({"drain": {"timeout": 3}}, "at '/drain': additional properties 'timeout' not allowed"),
    ({"ingress": {"istio": {"selectors": {}}}}, "at '/ingress/istio': additional properties 'selectors'"),
    ({"tolerations": [{"keys": "x"}]}, "at '/tolerations/0': additional properties 'keys' not allowed"),
    ({"rbac": {"subjects": [{"kind": "User", "nam": "x"}]}}, "at '/rbac/subjects/0': "),
    # of the wrong kind
    ({"replicas": "3"}, "at '/replicas': got string, want integer"),
    ({"replicas": 1.5}, "at '/replicas': got number, want integer"),
    ({"replicas": -1}, "at '/replicas': minimum"),
    ({"services": {"reviews": {"base": 2}}}, "at '/services/reviews/base': got number, want string"),
    ({"lanes": {"dev": {"services": {"reviews": 2}}}}, "at '/lanes/dev/services/reviews': got number, want"),
    ({"services": {"reviews": {"shares": {"v1": "80"}}}}, "at '/services/reviews/shares/v1': got string"),
    ({"networkPolicy": {"enabled": "yes"}}, "at '/networkPolicy/enabled': got string, want boolean"),
    ({"propagateHeaders": "x-a"}, "at '/propagateHeaders': got string, want array"),
    ({"image": {"pullSecrets": [{"name": "x"}]}}, "at '/image/pullSecrets/0': got object, want string"),
    ({"resources": {"limits": {"memory": True}}}, "at '/resources/limits/memory': got boolean"),
    # of the right kind and impossible
    ({"ingress": {"kind": "nginx"}}, "at '/ingress/kind': value must be one of"),
    ({"lanes": {"dev": {"mode": "loose"}}}, "at '/lanes/dev/mode': value must be one of"),
    ({"logLevel": "debug"}, "at '/logLevel': value must be one of"),
    ({"services": {"reviews": {"protocol": "tcp"}}}, "at '/services/reviews/protocol': value must be one of"),
    ({"services": {"Reviews": {}}}, "at '/services': additional properties 'Reviews' not allowed"),
    ({"services": {"reviews": {"versions": {"v 1": {}}}}}, "at '/services/reviews/versions': additional"),
    ({"services": {"reviews": {"shares": {"v1": 101}}}}, "at '/services/reviews/shares/v1': maximum"),
    ({"lanes": {"base": {}}}, "at '/lanes/base': "),
    ({"image": {"repository": "bookinfo:1.0"}}, "at '/image/repository': 'bookinfo:1.0' does not match"),
    ({"image": {"digest": "sha256:1234"}}, "at '/image/digest': 'sha256:1234' does not match"),
    ({"xds": {"address": "istiod.istio-system.svc"}}, "at '/xds/address': "),
    ({"otlp": {"endpoint": "otel-collector:4318"}}, "at '/otlp/endpoint': "),
    ({"resources": {"limits": {"memory": "1 GB"}}}, "at '/resources/limits/memory': '1 GB' does not match"),
    ({"drain": {"timeoutSeconds": 7200}}, "at '/drain/timeoutSeconds': maximum"),
    ({"podSecurity": {"runAsUser": 0}}, "at '/podSecurity/runAsUser': minimum"),
    ({"networkPolicy": {"egressPorts": [0]}}, "at '/networkPolicy/egressPorts/0': minimum"),
    ({"podDisruptionBudget": {"maxUnavailable": 0}}, "at '/podDisruptionBudget/maxUnavailable': minimum"),
    ({"prune": {"schedule": "hourly"}}, "at '/prune/schedule': 'hourly' does not match"),
    ({"ingress": {"host": "http://x"}}, "at '/ingress/host': 'http://x' does not match"),
    ({"ingress": {"istio": {"selector": {"istio": None}}}}, "at '/ingress/istio/selector': "),
    ({"topologySpread": {"keys": ["a b"]}}, "at '/topologySpread/keys/0': 'a b' does not match"),
    ({"door": {"rules": [{"user": "jason"}]}}, "at '/door/rules/0': "),
    ({"rbac": {"subjects": [{"kind": "User", "name": "x", "namespace": "y"}]}}, "at '/rbac/subjects/0': "),
    ({"admin": {"port": 9080}}, "at '/admin/port': 'not' failed"),
    ({"admin": {"port": 80}}, "at '/admin/port': minimum"),
    ({"admin": {"from": [{}]}}, "at '/admin/from/0': minProperties"),
    ({"admin": {"from": [{"namespace": "monitoring"}]}}, "at '/admin/from/0': additional properties"),
    ({"admin": {"from": [{"podSelector": {"app": "x"}}]}}, "at '/admin/from/0/podSelector': additional"),
    ({"admin": {"from": [{"ipBlock": {"cidr": "10.0.0.1"}}]}}, "at '/admin/from/0/ipBlock/cidr': "),
    ({"admin": {"podMonitor": {"interval": 30}}}, "at '/admin/podMonitor/interval': got number, want string"),
    ({"laneLabels": {"named": ["base"]}}, "at '/laneLabels/named/0': "),
    ({"laneLabels": {"limit": 1001}}, "at '/laneLabels/limit': maximum"),
    # taken away
    ({"services": {"productpage": None}}, "at '/services': missing property 'productpage'"),
    ({"image": {"repository": None}}, "at '/image': missing property 'repository'"),
    ({"xds": None}, "at '': missing property 'xds'"),
]


@pytest.mark.parametrize(("values", "said"), BAD, ids=[said for _, said in BAD])
def test_bad_values_are_refused_by_their_path(values: dict[str, Any], said: str) -> None:
    with pytest.raises(helm.HelmValuesError) as caught:
        render(values)
    assert said in str(caught.value)


def test_prune_needs_the_rights_that_go_with_it() -> None:
    with pytest.raises(helm.HelmRenderError, match=r"prune.enabled: `lanes prune` needs rbac.create"):
        render({"prune": {"enabled": True}, "rbac": {"create": False}})


def test_no_object_of_the_schema_is_open() -> None:
    """Each says which properties it has, but for what is a parent chart's."""

    def objects(schema: Any, path: str) -> list[tuple[str, dict[str, Any]]]:
        if isinstance(schema, list):
            return [found for each in schema for found in objects(each, path)]
        if not isinstance(schema, dict):
            return []
        below = [found for key, each in schema.items() for found in objects(each, f"{path}/{key}")]
        return [(path, schema), *below] if schema.get("type") == "object" else below

    found = dict(objects(chart().schema, ""))
    assert len(found) > 30
    opened = {path for path, schema in found.items() if schema.get("additionalProperties") is not False}
    assert opened == {
        "/properties/global",
        "/properties/lanes/patternProperties/" + LANE + "/properties/services",
    }


LANE = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$"


def test_every_default_is_in_the_schema_and_the_other_way_round() -> None:
    schema = chart().schema["properties"].keys() - {"global"}
    assert chart().values.keys() == schema
    text = (CHART / "values.yaml").read_text(encoding="utf-8")
    assert yaml.safe_load(text) == chart().values


def test_what_is_taken_away_is_either_missed_by_the_schema_or_by_nobody() -> None:
    """Never by a template, whose error would name no value but those of lanes."""

    def paths(values: Any) -> list[tuple[str, ...]]:
        if not isinstance(values, dict):
            return []
        return [path for key, each in values.items() for path in [(key,), *((key, *p) for p in paths(each))]]

    found = paths(chart().values)
    assert len(found) > 80
    for path in found:
        values: Any = None
        for key in reversed(path):
            values = {key: values}
        try:
            render(values)
        except helm.HelmValuesError as error:
            place = "".join(f"/{key}" for key in path[:-1])
            assert f"at '{place}'" in str(error)
        except helm.HelmRenderError as error:
            assert "lanes.demo.services" in str(error), path


# -- the schema and the services mean the same


def takes(values: dict[str, Any]) -> bool:
    try:
        chart().validate_schema(values)
    except helm.HelmValuesError:
        return False
    return True


NAMES = [
    "dev",
    "d",
    "0",
    "a-b",
    "x" * 63,
    "x" * 64,
    "",
    "-a",
    "a-",
    "Dev",
    "a.b",
    "a_b",
    "ä",
    "base",
    "base2",
]


@pytest.mark.parametrize("name", NAMES)
def test_names_of_lanes(name: str) -> None:
    assert takes({"lanes": {name: {}}}) is (lane_name_fault(name) is None)


VERSIONS = ["v1", "V1", "1.2.3", "a_b-c.d", "x" * 63, "x" * 64, "", ".a", "a-", "a/b", "a b", "é"]


@pytest.mark.parametrize("version", VERSIONS)
def test_versions(version: str) -> None:
    wanted = version_fault(version) is None
    assert takes({"lanes": {"dev": {"services": {"reviews": version}}}}) is wanted
    assert takes({"services": {"reviews": {"versions": {version: {}}}}}) is wanted
    assert takes({"services": {"reviews": {"shares": {version: 100}}}}) is wanted


@pytest.mark.parametrize("key", ["env", "!#$%&'*+-.^_`|~09azAZ", "", "a b", "a=b", "a,b", "a;b", '"a"', "ä"])
def test_lane_keys(key: str) -> None:
    assert takes({"laneKey": key}) is is_key(key)


HEADERS = [
    "x-a",
    "X-A",
    "x_a.b",
    "te",
    "TE",
    "User-Agent",
    "grpc-x",
    "GRPC-x",
    "a-bin",
    "x a",
    "x:a",
    "hosts",
]


@pytest.mark.parametrize("name", HEADERS)
def test_headers(name: str) -> None:
    try:
        wanted = bool(header(name))
    except ValueError:
        wanted = False
    assert takes({"propagateHeaders": [name]}) is wanted
    assert takes({"door": {"laneHeader": name}}) is wanted


ADDRESSES = ["a.b:15012", "10.0.0.1:1", "[::1]:15012", "a", "a:", ":1", "a:0", "a:b", "a:1:", "a:123456"]


@pytest.mark.parametrize("address", ADDRESSES)
def test_addresses_of_the_control_plane(address: str) -> None:
    try:
        proxyless.Bootstrap.from_env({"XDS_ADDRESS": address})
        wanted = True
    except proxyless.BootstrapError:
        wanted = False
    assert takes({"xds": {"address": address}}) is wanted


@pytest.mark.parametrize("address", ["0.0.0.0", "::", "10.1.2.3", "fd00::1"])
def test_addresses_to_listen_on(address: str) -> None:
    assert takes({"bindAddress": address})
    assert Settings.read("reviews", {"BIND_IP": address}).bind_ip == address


RULES = [
    {"header": "x-lane"},
    {"cookie": "lane"},
    {"header": "x-team", "equals": "blue", "lane": "dev"},
    {"user": "jason", "lane": "dev"},
    {"user": ["jason", "ann"], "lane": "dev"},
    {"percent": 0.5, "lane": "dev"},
    {"percent": 100, "lane": "dev"},
    {},
    {"lane": "dev"},
    {"header": "x-lane", "cookie": "lane"},
    {"header": "x lane"},
    {"header": ""},
    {"header": "x-lane", "lane": "Dev"},
    {"header": "x-lane", "lane": "base"},
    {"header": "x-team", "equals": "blue"},
    {"user": "jason"},
    {"user": [], "lane": "dev"},
    {"user": [7], "lane": "dev"},
    {"user": "jason", "equals": "x", "lane": "dev"},
    {"percent": 0, "lane": "dev"},
    {"percent": 101, "lane": "dev"},
    {"percent": "10", "lane": "dev"},
    {"percent": 10},
    {"headers": "x-lane"},
]


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_rules_of_the_door(rule: dict[str, Any]) -> None:
    try:
        parse_door(yaml.safe_dump({"rules": [rule]}))
        wanted = True
    except DoorError:
        wanted = False
    assert takes({"door": {"rules": [rule]}}) is wanted
