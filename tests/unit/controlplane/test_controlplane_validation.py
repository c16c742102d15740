"""Istio's validation rules: each refusal names file, document, line (marked `# <<<`) and field."""

from __future__ import annotations

import pytest

from controlplane.fields import parse_duration
from controlplane.loader import load_texts
from controlplane.problems import Problem

HEAD = {
    "VirtualService": "hosts: [reviews]",
    "DestinationRule": "host: reviews",
    "ServiceEntry": "hosts: [a.example.com]\nresolution: STATIC",
    "WorkloadEntry": "address: 127.0.0.9",
}


def document(kind: str, spec: str, head: bool = True) -> str:
    body = (HEAD[kind] + "\n" if head else "") + spec
    indented = "\n".join("  " + line for line in body.strip("\n").splitlines())
    meta = "metadata:\n  name: thing\n"
    return f"apiVersion: networking.istio.io/v1\nkind: {kind}\n{meta}spec:\n{indented}\n"


def route(text: str) -> str:
    """A VirtualService of one route, with these lines in it."""
    indented = "\n".join("  " + line for line in text.strip("\n").splitlines())
    return document("VirtualService", f"http:\n- route: [{{destination: {{host: reviews}}}}]\n{indented}")


def match(text: str) -> str:
    indented = "\n".join("  " + line for line in text.strip("\n").splitlines())
    return route(f"match:\n-{indented[1:]}")


def errors_of(text: str) -> tuple[Problem, ...]:
    # A harmless document before it, so that document numbers are seen to count.
    first = document("WorkloadEntry", "").replace("thing", "first")
    return load_texts({"rules.yaml": f"{first}---\n{text}"}).errors


VS = "VirtualService"
DR = "DestinationRule"
SE = "ServiceEntry"
WE = "WorkloadEntry"

CASES = [
    # the envelope
    (
        "apiVersion: networking.istio.io/v2 # <<<\nkind: VirtualService\nmetadata: {name: a}",
        "apiVersion",
        "v2",
    ),
    ("apiVersion: networking.istio.io/v1\nkind: VirtualServce # <<<\nmetadata: {name: a}", "kind", "no kind"),
    ("kind: VirtualService # <<<\nmetadata: {name: a}\nspec: {}", "apiVersion", "required"),
    ("apiVersion: v1\nkind: List # <<<\nmetadata: {name: a}\nitems: []", "kind", "List"),
    (
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {} # <<<",
        "metadata.name",
        "required",
    ),
    ("apiVersion: networking.istio.io/v1 # <<<\nkind: VirtualService\nspec: {}", "metadata", "required"),
    (
        "apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: A_b} # <<<",
        "metadata.name",
        "valid",
    ),
    (
        "apiVersion: networking.istio.io/v1 # <<<\nkind: VirtualService\nmetadata: {name: a}",
        "spec",
        "required",
    ),
    (
        "apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {name: a, nmespace: b} # <<<\n"
        "spec: {address: 1.2.3.4}",
        "metadata.nmespace",
        "unknown field",
    ),
    (
        "apiVersion: networking.istio.io/v1\nkind: WorkloadEntry\nmetadata: {name: a}\n"
        "spec: {address: 1.2.3.4}\nspce: {} # <<<",
        "spce",
        "unknown field",
    ),
    # VirtualService: hosts and shape
    (
        document(VS, "hosts: [] # <<<\nhttp: [{route: [{destination: {host: a}}]}]", head=False),
        "spec.hosts",
        "host",
    ),
    (
        document(VS, 'hosts: ["*"] # <<<\nhttp: [{route: [{destination: {host: a}}]}]', head=False),
        "spec.hosts[0]",
        "*",
    ),
    (
        document(VS, "hosts: [a_b] # <<<\nhttp: [{route: [{destination: {host: a}}]}]", head=False),
        "spec.hosts[0]",
        "a_b",
    ),
    (
        document(
            VS, 'hosts: ["*.b.com", a.b.com] # <<<\nhttp: [{route: [{destination: {host: a}}]}]', head=False
        ),
        "spec.hosts[1]",
        "duplicate hosts",
    ),
    (document(VS, "htp: [] # <<<\nhttp: [{route: [{destination: {host: a}}]}]"), "spec.htp", "unknown field"),
    (document(VS, "http: {} # <<<"), "spec.http", "must be a list"),
    (document(VS, "http: [] # <<<"), "spec.http", "at least one route"),
    (document(VS, "http:\n- null # <<<"), "spec.http[0]", "null"),
    (document(VS, "http:\n- name: x # <<<"), "spec.http[0]", "destination"),
    (document(VS, "http:\n- route: # <<<"), "spec.http[0]", "destination"),
    (
        document(VS, "tcp: [] # <<<\nhttp: [{route: [{destination: {host: a}}]}]"),
        "spec.tcp",
        "not served yet",
    ),
    (
        document(VS, 'exportTo:\n- "." # <<<\nhttp: [{route: [{destination: {host: a}}]}]'),
        "spec.exportTo[0]",
        "not served",
    ),
    # destinations
    (document(VS, "http:\n- route:\n  - weight: 1 # <<<"), "spec.http[0].route[0].destination", "required"),
    (
        document(VS, 'http:\n- route:\n  - destination: {host: "*"} # <<<'),
        "spec.http[0].route[0].destination.host",
        "invalid",
    ),
    (
        document(VS, "http:\n- route:\n  - destination: {host: a, subset: a.b} # <<<"),
        "spec.http[0].route[0].destination.subset",
        "subset name",
    ),
    (
        document(VS, "http:\n- route:\n  - destination: {host: a, port: {number: 70000}} # <<<"),
        "spec.http[0].route[0].destination.port.number",
        "1..65535",
    ),
    (
        document(VS, "http:\n- route:\n  - destination: {host: a}\n    weight: -1 # <<<"),
        "spec.http[0].route[0].weight",
        "below 0",
    ),
    (
        document(VS, "http:\n- route: # <<<\n  - destination: {host: a}\n  - destination: {host: b}"),
        "spec.http[0].route",
        "add up to 0",
    ),
    (
        document(VS, "http:\n- route:\n  - destination: {host: a}\n    weight: heavy # <<<"),
        "spec.http[0].route[0].weight",
        "whole number",
    ),
    (
        document(VS, "http:\n- route:\n  - destination: {host: a}\n    headers: {} # <<<"),
        "spec.http[0].route[0].headers",
        "not served yet",
    ),
    # matches
    (match("headers:\n  a: {prefix: ''} # <<<"), "spec.http[0].match[0].headers.a.prefix", "empty"),
    (match("headers:\n  a: {regex: ''} # <<<"), "spec.http[0].match[0].headers.a.regex", "empty"),
    (match("headers:\n  a: {regex: '*'} # <<<"), "spec.http[0].match[0].headers.a.regex", "RE2"),
    (match("headers:\n  a: {regex: 'a(?=b)'} # <<<"), "spec.http[0].match[0].headers.a.regex", "RE2"),
    (match(f"headers:\n  a: {{regex: {'a' * 1025}}} # <<<"), "spec.http[0].match[0].headers.a.regex", "1024"),
    (match("headers:\n  a: null # <<<"), "spec.http[0].match[0].headers.a", "null"),
    (match("headers:\n  a: dev # <<<"), "spec.http[0].match[0].headers.a", "mapping"),
    (match("headers:\n  a: {exakt: dev} # <<<"), "spec.http[0].match[0].headers.a.exakt", "unknown"),
    (
        match("headers:\n  a: {exact: a, prefix: b} # <<<"),
        "spec.http[0].match[0].headers.a.prefix",
        "only one",
    ),
    (match("headers:\n  a: {exact: 1} # <<<"), "spec.http[0].match[0].headers.a.exact", 'write "1"'),
    (match("headers:\n  'a b': {exact: a} # <<<"), 'spec.http[0].match[0].headers["a b"]', "header name"),
    (
        match("headers:\n  '@request.auth.claims.a': {exact: a} # <<<"),
        'spec.http[0].match[0].headers["@request.auth.claims.a"]',
        "JWT",
    ),
    (
        match("withoutHeaders:\n  a: {regex: '('} # <<<"),
        "spec.http[0].match[0].withoutHeaders.a.regex",
        "RE2",
    ),
    (match("uri: {regex: '['} # <<<"), "spec.http[0].match[0].uri.regex", "RE2"),
    (match("method: {prefix: ''} # <<<"), "spec.http[0].match[0].method.prefix", "empty"),
    (match("authority: {regex: ''} # <<<"), "spec.http[0].match[0].authority.regex", "empty"),
    (match("port: 70000 # <<<"), "spec.http[0].match[0].port", "1..65535"),
    (match("sourceLabels: {app: 'a b'} # <<<"), "spec.http[0].match[0].sourceLabels.app", "label value"),
    (match("sourceLabels: {version: 1} # <<<"), "spec.http[0].match[0].sourceLabels.version", 'write "1"'),
    (match("ignoreUriCase: 'true' # <<<"), "spec.http[0].match[0].ignoreUriCase", "true or false"),
    (match("queryParams: {a: {exact: b}} # <<<"), "spec.http[0].match[0].queryParams", "not served yet"),
    # the rest of a route
    (route("timeout: 0s # <<<"), "spec.http[0].timeout", "at least 1ms"),
    (route("timeout: 1.0005s # <<<"), "spec.http[0].timeout", "whole milliseconds"),
    (route("timeout: 5 # <<<"), "spec.http[0].timeout", "duration"),
    (route("timeout: -1s # <<<"), "spec.http[0].timeout", "at least"),
    (route("retries: {attempts: -1} # <<<"), "spec.http[0].retries.attempts", "negative"),
    (route("retries: {perTryTimeout: 1s} # <<<"), "spec.http[0].retries.perTryTimeout", "attempts is 0"),
    (route("retries: {attempts: 1, retryOn: sometimes} # <<<"), "spec.http[0].retries.retryOn", "sometimes"),
    (route("retries: {attempts: 1, retryOn: '999'} # <<<"), "spec.http[0].retries.retryOn", "999"),
    (route("fault: {} # <<<"), "spec.http[0].fault", "abort or a delay"),
    (
        route("fault: {abort: {grpcStatus: BROKEN}} # <<<"),
        "spec.http[0].fault.abort.grpcStatus",
        "no gRPC status",
    ),
    (route("fault: {abort: {httpStatus: 99}} # <<<"), "spec.http[0].fault.abort.httpStatus", "range"),
    (route("fault: {abort: {http2Error: x}} # <<<"), "spec.http[0].fault.abort.http2Error", "not supported"),
    (
        route("fault: {abort: {httpStatus: 500, percentage: {value: 101}}} # <<<"),
        "spec.http[0].fault.abort.percentage.value",
        "range",
    ),
    (
        route("fault: {delay: {exponentialDelay: 1s}} # <<<"),
        "spec.http[0].fault.delay.exponentialDelay",
        "supported",
    ),
    (route("fault: {delay: {fixedDelay: soon}} # <<<"), "spec.http[0].fault.delay.fixedDelay", "duration"),
    *(
        (route(f"{name}: {value} # <<<"), f"spec.http[0].{name}", "not served yet")
        for name, value in {
            "rewrite": "{uri: /}",
            "redirect": "{uri: /}",
            "directResponse": "{status: 200}",
            "mirror": "{host: a}",
            "mirrors": "[]",
            "mirrorPercent": "1",
            "mirrorPercentage": "{value: 1}",
            "headers": "{}",
            "corsPolicy": "{}",
            "delegate": "{name: a}",
        }.items()
    ),
    # DestinationRule
    (document(DR, "host: '' # <<<", head=False), "spec.host", "empty domain"),
    (document(DR, "trafficPolicy: {} # <<<"), "spec.trafficPolicy", "not served yet"),
    (document(DR, "subsets: [{name: v1}, {name: v1}] # <<<"), "spec.subsets[1].name", "duplicate subset"),
    (document(DR, "subsets: [{labels: {a: b}}] # <<<"), "spec.subsets[0].name", "name"),
    (
        document(DR, "subsets: [{name: v1, labels: {'-a': b}}] # <<<"),
        "spec.subsets[0].labels.-a",
        "label key",
    ),
    (
        document(DR, "subsets: [{name: v1, trafficPolicy: {}}] # <<<"),
        "spec.subsets[0].trafficPolicy",
        "not served",
    ),
    # ServiceEntry
    (document(SE, "hosts: [] # <<<\nresolution: STATIC", head=False), "spec.hosts", "host"),
    (document(SE, "hosts: ['*'] # <<<\nresolution: STATIC", head=False), "spec.hosts[0]", "invalid host"),
    (document(SE, "hosts: [a.com]\nresolution: DNS # <<<", head=False), "spec.resolution", "not served yet"),
    (document(SE, "hosts: [a.com]\nresolution: static # <<<", head=False), "spec.resolution", "one of"),
    (document(SE, "location: MESH # <<<"), "spec.location", "one of"),
    (document(SE, "ports: [{number: 0, name: a}] # <<<"), "spec.ports[0].number", "1..65535"),
    (document(SE, "ports: [{number: 1}] # <<<"), "spec.ports[0].name", "name"),
    (document(SE, "ports: [{number: 1, name: a, protocol: QUIC}] # <<<"), "spec.ports[0].protocol", "QUIC"),
    (
        document(SE, "ports: [{number: 1, name: a}, {number: 2, name: a}] # <<<"),
        "spec.ports[1].name",
        "already",
    ),
    (
        document(SE, "ports: [{number: 1, name: a}, {number: 1, name: b}] # <<<"),
        "spec.ports[1].number",
        "already",
    ),
    (document(SE, "addresses: [nowhere] # <<<"), "spec.addresses[0]", "CIDR"),
    (
        document(SE, "workloadSelector: {labels: {a: b}}\nendpoints: [{address: 1.2.3.4}] # <<<"),
        "spec.endpoints",
        "only one",
    ),
    (document(SE, "endpoints: [{address: a.com}] # <<<"), "spec.endpoints[0].address", "IP address"),
    (
        document(SE, "ports: [{number: 1, name: a}]\nendpoints: [{address: 1.2.3.4, ports: {b: 1}}] # <<<"),
        "spec.endpoints[0].ports.b",
        "no port named",
    ),
    # WorkloadEntry
    (document(WE, "address: '' # <<<", head=False), "spec.address", "required"),
    (document(WE, "address: 'a b' # <<<", head=False), "spec.address", "IP address"),
    (document(WE, "address: unix:///tmp/a # <<<", head=False), "spec.address", "not served yet"),
    (document(WE, "ports: {grpc: 99999} # <<<"), "spec.ports.grpc", "1..65535"),
    (document(WE, "weight: -1 # <<<"), "spec.weight", "between"),
    (document(WE, "labels: {a: true} # <<<"), "spec.labels.a", "boolean"),
]


@pytest.mark.parametrize(("text", "field", "message"), CASES, ids=[f"{c[1]}:{c[2]}" for c in CASES])
def test_refused_with_its_place(text: str, field: str, message: str) -> None:
    found = errors_of(text)
    assert [(error.field, message in error.message) for error in found] == [(field, True)], [*map(str, found)]
    first = document("WorkloadEntry", "")
    marked = next(i for i, line in enumerate(text.splitlines(), start=1) if line.endswith("# <<<"))
    assert (found[0].file, found[0].document) == ("rules.yaml", 2)
    assert found[0].line == first.count("\n") + 1 + marked


def test_every_error_of_a_document_is_told_at_once() -> None:
    text = route("timeout: soon\nnonsense: 1\nretries: {attempts: x}")
    assert [error.field for error in errors_of(text)] == [
        "spec.http[0].timeout",
        "spec.http[0].nonsense",
        "spec.http[0].retries.attempts",
    ]


def test_the_same_object_twice_names_both_places() -> None:
    text = document(WE, "")
    loaded = load_texts({"a.yaml": text, "b.yaml": f"---\n{text.replace('/v1', '/v1beta1', 1)}"})
    (error,) = loaded.errors
    assert (error.file, error.document, error.line, error.field) == ("b.yaml", 1, 2, "metadata.name")
    assert "WorkloadEntry default/thing is already defined in a.yaml, line 1" in error.message


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
