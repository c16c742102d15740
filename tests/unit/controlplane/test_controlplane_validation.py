"""Istio's validation rules: each refusal names file, document, line (marked `# <<<`) and field."""

from __future__ import annotations

import pytest

from controlplane.loader import load_texts
from tests.unit.controlplane.documents import DR, SE, VS, WE, document, errors_of, match, route

CASES = [
    # the envelope
    (
        "apiVersion: networking.istio.io/v2 # <<<\nkind: VirtualService\nmetadata: {name: a}",
        "apiVersion",
        "v2",
    ),
    ("apiVersion: networking.istio.io/v1\nkind: VirtualServce # <<<\nmetadata: {name: a}", "kind", "no kind"),
    (
        "apiVersion: networking.istio.io/v1\nkind: Sidecar # <<<\nmetadata: {name: a}\n"
        "spec: {egress: [{hosts: [./reviews]}]}",
        "kind",
        "a Sidecar is not served: Istiod hides services",
    ),
    (
        "apiVersion: !!tag x # <<<\nkind: VirtualService\nmetadata: {name: a}\nspec: {}",
        "apiVersion",
        'must be a string, not a value tagged !!tag: write "x"',
    ),
    (
        "apiVersion: !own x # <<<\nkind: VirtualService\nmetadata: {name: a}\nspec: {}",
        "apiVersion",
        'must be a string, not a value tagged !own: write "x"',
    ),
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
        document(VS, "gateways: [mesh] # <<<\nhttp: [{route: [{destination: {host: a}}]}]", head=False),
        "spec.gateways",
        "delegate",
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
        document(VS, 'exportTo:\n- "~" # <<<\nhttp: [{route: [{destination: {host: a}}]}]'),
        "spec.exportTo[0]",
        "no one",
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
        document(
            VS, "http:\n- route:\n  - destination: {host: a}\n    headers: {request: {remove: [host]}} # <<<"
        ),
        "spec.http[0].route[0].headers.request.remove[0]",
        "cannot be changed",
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
    (match("queryParams: {a: {prefix: ''}} # <<<"), "spec.http[0].match[0].queryParams.a.prefix", "empty"),
    (match("headers: {a: {prefix: y}} # <<<"), "spec.http[0].match[0].headers.a.prefix", 'write "y"'),
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
    (route("rewrite: {} # <<<"), "spec.http[0].rewrite", "needs"),
    (
        route("rewrite: {uriRegexRewrite: {match: '(', rewrite: a}} # <<<"),
        "spec.http[0].rewrite.uriRegexRewrite.match",
        "RE2",
    ),
    (
        document(VS, "http:\n- redirect: {uri: /a}\n  fault: {delay: {}} # <<<"),
        "spec.http[0].fault",
        "beside",
    ),
    (
        document(VS, "http:\n- directResponse: {status: 99} # <<<"),
        "spec.http[0].directResponse.status",
        "range",
    ),
    (route("mirror: {host: '*'} # <<<"), "spec.http[0].mirror.host", "invalid"),
    (route("mirrors: [{}] # <<<"), "spec.http[0].mirrors[0]", "destination"),
    (route("mirrorPercent: 101 # <<<"), "spec.http[0].mirrorPercent", "above 100"),
    (route("mirrorPercentage: {value: 101} # <<<"), "spec.http[0].mirrorPercentage.value", "range"),
    (route("headers: {response: {set: {a: '%'}}} # <<<"), "spec.http[0].headers.response.set.a", "%%"),
    (route("corsPolicy: {allowMethods: [GOT]} # <<<"), "spec.http[0].corsPolicy.allowMethods[0]", "GOT"),
    (route("corsPolicy: {maxAge: 1.5s} # <<<"), "spec.http[0].corsPolicy.maxAge", "whole seconds"),
    (
        document(VS, "http:\n- delegate: {name: a}\n  redirect: {uri: /} # <<<"),
        "spec.http[0].redirect",
        "delegate",
    ),
    # DestinationRule
    (document(DR, "host: '' # <<<", head=False), "spec.host", "empty domain"),
    (document(DR, "trafficPolicy: {} # <<<"), "spec.trafficPolicy", "at least one field"),
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
        "at least one field",
    ),
    # ServiceEntry
    (document(SE, "hosts: [] # <<<\nresolution: STATIC", head=False), "spec.hosts", "host"),
    (document(SE, "hosts: ['*'] # <<<\nresolution: STATIC", head=False), "spec.hosts[0]", "invalid host"),
    (
        document(SE, "hosts: ['*.a.com'] # <<<\nresolution: DNS", head=False),
        "spec.hosts[0]",
        "full domain name",
    ),
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
    (document(WE, "address: unix://a # <<<", head=False), "spec.address", "absolute path"),
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
