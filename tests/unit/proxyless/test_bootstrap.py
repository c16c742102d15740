"""The bootstrap: of gRPC's document, and of the environment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from proxyless.bootstrap import Bootstrap, Locality
from proxyless.errors import BootstrapError

SERVER = {"server_uri": "istiod:15010", "channel_creds": [{"type": "google_default"}, {"type": "insecure"}]}
WHOLE = {
    "xds_servers": [SERVER, {"server_uri": "ignored"}],
    "node": {
        "id": "n",
        "cluster": "c",
        "metadata": {"GENERATOR": "grpc"},
        "locality": {"region": "r", "zone": "z", "sub_zone": "s"},
    },
}


def test_the_bootstrap_of_grpc() -> None:
    assert Bootstrap.from_json(json.dumps(WHOLE), source="here") == Bootstrap(
        "istiod:15010", "n", "c", {"GENERATOR": "grpc"}, Locality("r", "z", "s"), "here"
    )
    bare = Bootstrap.from_json(json.dumps({"xds_servers": [SERVER], "node": {"id": "n"}}))
    assert (bare.cluster, bare.metadata, bare.locality) == ("", {}, Locality())
    for nameless in ({"xds_servers": [SERVER]}, {"xds_servers": [SERVER], "node": {"cluster": "c"}}):
        assert Bootstrap.from_json(json.dumps(nameless)).node_id == ""


def test_servers_after_the_first_are_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        assert Bootstrap.from_json(json.dumps(WHOLE), source="somewhere").server == "istiod:15010"
    (record,) = caplog.records
    assert record.getMessage() == (
        "somewhere: xds_servers: 1 after the first have no effect: there is no fallback"
    )


def but(**changes: Any) -> dict[str, Any]:
    return {**WHOLE, **changes}


def server(**changes: Any) -> dict[str, Any]:
    return but(xds_servers=[{**SERVER, **changes}])


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("{", "line 1: "),
        ("{\n  oops", "line 2: "),
        ([], "the document must be an object, but is []"),
        ({}, "xds_servers must be a list, but is missing"),
        (but(xds_servers={}), "xds_servers must be a list, but is {}"),
        (but(xds_servers=[]), "xds_servers is empty"),
        (but(xds_servers=["x"]), "xds_servers[0] must be an object, but is 'x'"),
        (server(server_uri=None), "xds_servers[0].server_uri must be a string, but is missing"),
        (server(server_uri="istiod"), "xds_servers[0].server_uri: 'istiod' is not host:port"),
        (server(server_uri=":80"), "xds_servers[0].server_uri: ':80' is not host:port"),
        (server(server_uri="a:0"), "xds_servers[0].server_uri: 'a:0' is not host:port"),
        (server(server_uri="a:65536"), "xds_servers[0].server_uri: 'a:65536' is not host:port"),
        (server(server_uri="a:" + "9" * 5000), "is not host:port"),
        (server(channel_creds=None), "xds_servers[0].channel_creds must be a list, but is missing"),
        (server(channel_creds=["x"]), "xds_servers[0].channel_creds[0] must be an object, but is 'x'"),
        (server(channel_creds=[{}]), "xds_servers[0].channel_creds[0].type must be a string, but is missing"),
        (server(channel_creds=[]), "xds_servers[0].channel_creds: none of [] is supported"),
        (
            server(channel_creds=[{"type": "google_default"}]),
            "xds_servers[0].channel_creds: none of ['google_default'] is supported; supported are 'insecure'",
        ),
        (
            server(channel_creds=[{"type": "tls"}]),
            "xds_servers[0].channel_creds[0].config.ca_certificate_file must be a string, but is missing",
        ),
        (but(node=[]), "node must be an object, but is []"),
        (but(node={"id": 7}), "node.id must be a string, but is 7"),
        (but(node={"id": "n", "cluster": 7}), "node.cluster must be a string, but is 7"),
        (but(node={"id": "n", "metadata": 7}), "node.metadata must be an object, but is 7"),
        (but(node={"id": "n", "locality": 7}), "node.locality must be an object, but is 7"),
        (but(node={"id": "n", "locality": {"zone": 7}}), "node.locality.zone must be a string, but is 7"),
    ],
)
def test_a_bootstrap_that_is_none_names_source_and_field(document: Any, reason: str, tmp_path: Path) -> None:
    text = document if isinstance(document, str) else json.dumps(document)
    file = tmp_path / "bootstrap.json"
    file.write_text(text)
    for environ, source in [
        ({"GRPC_XDS_BOOTSTRAP_CONFIG": text}, "GRPC_XDS_BOOTSTRAP_CONFIG"),
        ({"GRPC_XDS_BOOTSTRAP": str(file)}, str(file)),
    ]:
        with pytest.raises(BootstrapError) as caught:
            Bootstrap.from_env(environ)
        assert str(caught.value).startswith(f"{source}: ")
        assert reason in str(caught.value)


def test_a_bootstrap_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    latin = tmp_path / "latin"
    latin.write_bytes(b"\xff")
    for path in (tmp_path / "missing", tmp_path, latin):
        with pytest.raises(BootstrapError, match="bootstrap file") as caught:
            Bootstrap.from_env({"GRPC_XDS_BOOTSTRAP": str(path)})
        assert str(path) in str(caught.value)


def test_the_order_of_the_environment(tmp_path: Path) -> None:
    file = tmp_path / "bootstrap.json"
    file.write_text(json.dumps(but(node={"id": "of the file"})))
    environ = {"XDS_ADDRESS": "istiod:15010", "POD_NAME": "p"}
    assert Bootstrap.from_env(environ).source == "XDS_ADDRESS"
    environ["GRPC_XDS_BOOTSTRAP_CONFIG"] = json.dumps(WHOLE)
    assert Bootstrap.from_env(environ).node_id == "n"
    environ["GRPC_XDS_BOOTSTRAP"] = str(file)
    assert Bootstrap.from_env(environ).node_id == "of the file"
    with pytest.raises(BootstrapError, match="set XDS_ADDRESS=host:port") as caught:
        Bootstrap.from_env({"XDS_ADDRESS": ""})
    assert "GRPC_XDS_BOOTSTRAP" in str(caught.value)


def test_the_identity_istiod_expects() -> None:
    made = Bootstrap.from_env(
        {
            "XDS_ADDRESS": "istiod:15010",
            "INSTANCE_IP": "10.0.0.7",
            "POD_NAME": "reviews-v2",
            "POD_NAMESPACE": "bookinfo",
            "POD_LABELS": "app=reviews, version=v2,",
            "SERVICE_ACCOUNT": "reviews",
        }
    )
    assert made.node_id == "sidecar~10.0.0.7~reviews-v2.bookinfo~bookinfo.svc.cluster.local"
    assert made.metadata == {
        "GENERATOR": "grpc",
        "NAMESPACE": "bookinfo",
        "CLUSTER_ID": "Kubernetes",
        "SERVICE_ACCOUNT": "reviews",
        "ISTIO_VERSION": made.metadata["ISTIO_VERSION"],
        "LABELS": {"app": "reviews", "version": "v2"},
        "INSTANCE_IPS": "10.0.0.7",
        "PROXY_CONFIG": {},
    }


@pytest.mark.parametrize(
    ("variable", "value", "reason"),
    [
        ("XDS_ADDRESS", "istiod", "XDS_ADDRESS: 'istiod' is not host:port"),
        ("INSTANCE_IP", "10.0.0.1~", "INSTANCE_IP='10.0.0.1~'"),
        ("INSTANCE_IP", "zzz", "INSTANCE_IP='zzz': is not an IP address"),
        ("POD_NAME", "a b", "POD_NAME='a b'"),
        ("POD_NAMESPACE", "a\n", "POD_NAMESPACE='a\\n'"),
        ("POD_LABELS", "app", "POD_LABELS='app': 'app' is not key=value"),
        ("POD_LABELS", "a=b,=c", "'=c' is not key=value"),
        ("POD_LABELS", "a=\udcff", "node.metadata"),
        ("CLUSTER_ID", "\udcff", "node.metadata"),
    ],
)
def test_a_variable_that_cannot_be_used_is_named(variable: str, value: str, reason: str) -> None:
    with pytest.raises(BootstrapError) as caught:
        Bootstrap.from_env({"XDS_ADDRESS": "istiod:15010", variable: value})
    assert reason in str(caught.value)


def test_who_may_share_a_client() -> None:
    one = Bootstrap("a:1", "n", metadata={"x": 1, "y": 2}, source="here")
    assert one.identity == Bootstrap("a:1", "n", metadata={"y": 2, "x": 1}, source="there").identity
    for other in (Bootstrap("a:2", "n"), Bootstrap("a:1", "m"), Bootstrap("a:1", "n", "c")):
        assert other.identity != one.identity
