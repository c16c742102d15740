"""Settings from the environment, and the sentence that refuses them."""

import pytest

from lanes.door import Door, HeaderRule
from productpage.settings import PageSettings
from serving.settings import SettingError, Settings, target_of


def test_defaults() -> None:
    settings = Settings.read("reviews", {})
    assert (settings.version, settings.port, settings.bind_ip) == ("v1", 9080, "0.0.0.0")
    assert (settings.instance, settings.namespace) == ("reviews-v1", "default")
    assert settings.forwarding.key == "env"
    assert target_of("ratings", settings, {}) == "xds:///ratings.default.svc.cluster.local:9080"
    page = PageSettings.read(settings, {})
    assert page.door == Door()
    assert PageSettings.read(settings, {}).session_secret != page.session_secret


def test_everything_set() -> None:
    environ = {
        "SERVICE_VERSION": "v2",
        "PORT": "0",
        "INSTANCE_IP": "127.0.0.7",
        "POD_NAME": "reviews-v2-abc",
        "POD_NAMESPACE": "books",
        "PROPAGATE_HEADERS": "X-Tenant, x-b ,",
        "LANE_KEY": "lane",
        "RATINGS_TARGET": "127.0.0.1:5000",
        "TRUST_BAGGAGE": "true",
        "TRUST_END_USER": "1",
        "LANE_HEADER": "X-Lane",
        "LOG_LEVEL": "debug",
        "DRAIN_TIMEOUT": "0.5",
    }
    settings = Settings.read("reviews", environ)
    assert (settings.version, settings.port, settings.bind_ip) == ("v2", 0, "127.0.0.7")
    assert (settings.instance, settings.namespace) == ("reviews-v2-abc", "books")
    assert {"x-tenant", "x-b", "baggage"} <= settings.forwarding.headers
    assert settings.forwarding.key == "lane"
    assert (settings.log_level, settings.drain_timeout) == ("DEBUG", 0.5)
    assert target_of("ratings", settings, environ) == "127.0.0.1:5000"
    assert target_of("details", settings, environ) == "xds:///details.books.svc.cluster.local:9080"
    assert PageSettings.read(settings, environ).door == Door((HeaderRule("x-lane"),), True, True)


@pytest.mark.parametrize(
    ("environ", "at"),
    [
        ({}, "127.0.0.1"),
        ({"INSTANCE_IP": "10.0.0.7"}, "127.0.0.1"),
        ({"INSTANCE_IP": "127.77.0.11"}, "127.77.0.11"),
        ({"INSTANCE_IP": "127.77.0.11", "ADMIN_IP": "::1"}, "::1"),
        ({"INSTANCE_IP": "10.0.0.7", "ADMIN_IP": "0.0.0.0"}, "0.0.0.0"),
    ],
)
def test_the_admin_port_is_off_and_on_loopback_by_default(environ: dict[str, str], at: str) -> None:
    settings = Settings.read("reviews", environ)
    assert (settings.admin_ip, settings.admin_port) == (at, 0)
    assert Settings.read("reviews", environ | {"ADMIN_PORT": "15000"}).admin_port == 15000


def test_where_to_listen_may_differ_from_who_one_is() -> None:
    environ = {"INSTANCE_IP": "127.0.0.7", "BIND_IP": "::1"}
    assert Settings.read("reviews", environ).bind_ip == "::1"
    assert Settings.read("reviews", {"PORT": " ", "INSTANCE_IP": ""}).bind_ip == "0.0.0.0"


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("SERVICE_VERSION", "v 2", "letters, digits"),
        ("PORT", "abc", "is not a port"),
        ("ADMIN_PORT", "x", "is not a port"),
        ("ADMIN_IP", "reviews", "is not an IP address"),
        ("LANES_LABELLED", "dev, Not One", "names a lane 'Not One', which is not made of"),
        ("LANES_LABELLED", "base", "names a lane 'base', which is the name of the base lane"),
        ("LANES_LABELLED_LIMIT", "1001", "is not a number (0 to 1000)"),
        ("LANES_LABELLED_LIMIT", "-1", "is not a number (0 to 1000)"),
        ("ADMIN_READABLE", "perhaps", "is neither on nor off"),
        ("PORT", "-1", "is not a port"),
        ("PORT", "65536", "is not a port"),
        ("PORT", "²", "is not a port"),
        ("INSTANCE_IP", "localhost", "is not an IP address"),
        ("BIND_IP", "127.0.0.256", "is not an IP address"),
        ("POD_NAMESPACE", "De_fault", "is not a DNS label"),
        ("PROPAGATE_HEADERS", "x-a,grpc-timeout", "header of the transport"),
        ("PROPAGATE_HEADERS", "x a", "is not the name of a text header"),
        ("PROPAGATE_HEADERS", "x-bin", "is not the name of a text header"),
        ("LANE_KEY", "a=b", "cannot be the key of a baggage member"),
        ("LOG_LEVEL", "loud", "is none of"),
        ("DRAIN_TIMEOUT", "soon", "is not a number of seconds"),
        ("DRAIN_TIMEOUT", "nan", "is not within"),
        ("DRAIN_TIMEOUT", "-1", "is not within"),
        ("RATINGS_TARGET", "a b", "is not a gRPC target"),
        ("RATINGS_TARGET", "xds:///", "is not a gRPC target"),
        ("TRUST_BAGGAGE", "maybe", "is neither on nor off"),
        ("LANE_MENU", "perhaps", "is neither on nor off"),
        ("LANE_HEADER", "x lane", "is not the name of a text header"),
        ("CALL_TIMEOUT", "0", "leaves no time"),
        ("SESSION_SECRET", "hunter2", "is shorter than 16 bytes"),
    ],
)
def test_refusals_name_variable_value_and_reason(name: str, value: str, reason: str) -> None:
    with pytest.raises(SettingError) as caught:
        PageSettings.read(Settings.read("productpage", {name: value}), {name: value})
    assert str(caught.value).startswith(f"{name}=")
    assert reason in str(caught.value)
    if name != "SESSION_SECRET":
        assert repr(value) in str(caught.value)
    else:
        assert value not in str(caught.value)
