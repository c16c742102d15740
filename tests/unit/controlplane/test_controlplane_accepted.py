"""What Istio takes is taken; what it takes and nobody can have meant is a warning."""

from __future__ import annotations

import pytest

from controlplane.fields import parse_duration
from controlplane.loader import load_texts
from tests.unit.controlplane.documents import DR, SE, VS, WE, document, errors_of, match, route

SOUND = [
    match("{}"),
    match("headers:\n  a: {}"),
    match("headers:\n  a: {exact: ''}"),
    match("withoutHeaders:\n  a: {regex: '*'}"),
    match("withoutHeaders:\n  a: null"),
    match("uri: {prefix: ''}"),
    match("ignore_uri_case: true\nsource_labels: {app: a}"),
    route(
        "timeout: 1h2m3.5s\nretries: {attempts: 3, perTryTimeout: 100ms, retryOn: '503,reset', backoff: 25ms}"
    ),
    route("retries: {attempts: 0}"),
    route("retries: null"),
    route(
        "fault: {delay: {fixedDelay: 2s, percent: 10}, abort: {httpStatus: 600, percentage: {value: 0.0001}}}"
    ),
    document(VS, "http:\n- route:\n  - {destination: {host: a}, weight: 7}\n  - {destination: {host: b}}"),
    document(VS, "http: [{route: [{destination: {host: a, port: {number: '80'}}}]}]"),
    document(VS, "gateways: [mesh, other]\nexportTo: ['*']\nhttp: [{route: [{destination: {host: a}}]}]"),
    document(
        VS,
        "hosts: ['*']\ngateways: [door]\nhttp: [{rewrite: {uri: /}, route: [{destination: {host: a}}]}]",
        False,
    ),
    document(DR, "subsets: [{name: V1-x, labels: {a.b/c: ''}}]"),
    document(
        SE,
        "ports: [{number: 80, name: http, protocol: http, targetPort: 8080}]\naddresses: [10.0.0.0/8, '::1']",
    ),
    document(WE, "address: some.name.example\nlocality: a/b/c\nserviceAccount: x", head=False),
]


@pytest.mark.parametrize("text", SOUND)
def test_what_istio_takes_is_taken(text: str) -> None:
    assert not errors_of(text)


@pytest.mark.parametrize("version", ["v1", "v1beta1", "v1alpha3"])
def test_every_version_of_istio_is_read(version: str) -> None:
    assert not errors_of(document(WE, "").replace("/v1", f"/{version}"))


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("1s", 10**9),
        ("0.5s", 5 * 10**8),
        ("1h2m3s", 3_723 * 10**9),
        ("100ms", 10**8),
        ("1.5h", 5_400 * 10**9),
        (".5s", 5 * 10**8),
        ("-2s", -2 * 10**9),
        ("0", 0),
        ("", None),
        ("5", None),
        ("1 s", None),
        ("1d", None),
        ("1sx", None),
        ("s", None),
    ],
)
def test_durations_are_go_s(text: str, nanoseconds: int | None) -> None:
    assert parse_duration(text) == nanoseconds


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("apiVersion: v1\nkind: Service\nmetadata: {name: a}\nspec: {anything: 1}", "Service"),
        ("apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {name: a}\nspec: {}", "Gateway"),
        ("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: a}", "Deployment"),
    ],
)
def test_kinds_without_effect_are_kept_and_said_so(text: str, kind: str) -> None:
    loaded = load_texts({"a.yaml": text})
    assert [thing.meta.kind for thing in loaded.objects] == [kind]
    assert [(w.field, w.line) for w in loaded.warnings] == [("kind", 2)]


WARNINGS = [
    (document(SE, "addresses: [10.0.0.1, 10.0.0.2]"), "spec.addresses", "gRPC clients refuse"),
    (document(SE, "hosts: [a.com]\nresolution: DNS", head=False), "spec.resolution", "no endpoints"),
    (
        document(VS, "http: [{delegate: {name: leaf}}]"),
        "spec.http[0].delegate",
        "no VirtualService default/leaf",
    ),
    (
        document(DR, "trafficPolicy: {loadBalancer: {simple: RANDOM}}"),
        "spec.trafficPolicy.loadBalancer.simple",
        "takes turns",
    ),
    (
        route("match: [{uri: {exact: /}}]"),
        "spec.http[0].route[0].destination.host",
        "no ServiceEntry gives reviews",
    ),
    (route(""), "spec.hosts[0]", "applies to nothing yet"),
    (route("fault: {abort: {grpcStatus: UNAVAILABLE}}"), "spec.http[0].fault.abort", "no call is aborted"),
    (
        document(VS, "http:\n- route: [{destination: {host: a}}]\n- route: [{destination: {host: b}}]"),
        "spec.http[1]",
        "never reached",
    ),
    (document(DR, ""), "spec.host", "no ServiceEntry gives reviews"),
    (
        document(SE, "workloadSelector: {labels: {app: a}}"),
        "spec.workloadSelector",
        "selects no WorkloadEntry",
    ),
    (
        document(VS, "gateways: [door]\nhttp: [{route: [{destination: {host: a}}]}]"),
        "spec.gateways",
        "gateways only",
    ),
]


@pytest.mark.parametrize(("text", "field", "message"), WARNINGS)
def test_what_is_allowed_and_hardly_meant_is_a_warning(text: str, field: str, message: str) -> None:
    loaded = load_texts({"a.yaml": text})
    assert not loaded.errors
    assert [w for w in loaded.warnings if w.field == field and message in w.message and w.line], (
        loaded.warnings
    )


def test_a_missing_subset_is_a_warning_at_its_field(services_yaml: str) -> None:
    text = document(VS, "http:\n- route:\n  - destination:\n      host: reviews\n      subset: v9")
    (warning,) = load_texts({"a.yaml": services_yaml, "b.yaml": text}).warnings
    assert (warning.file, warning.field) == ("b.yaml", "spec.http[0].route[0].destination.subset")
    assert "v9" in warning.message
