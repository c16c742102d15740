"""Cases about services and their endpoints, each a whole small world."""

from __future__ import annotations

from tests.istiod.documents import document, join, service, subsets, virtual_service, workload

HOST = "reviews.default.svc.cluster.local"


def _entry(spec: str, name: str = "reviews", namespace: str = "default", metadata: str = "") -> str:
    return document("ServiceEntry", name, spec, namespace, metadata)


GRPC = "ports: [{number: 9080, name: grpc, protocol: GRPC}]"
INSIDE = f"hosts: [{HOST}]\nlocation: MESH_INTERNAL\nresolution: STATIC\n"

HTTP_ROUTES = """
- match: [{method: {exact: GET}, queryParams: {fast: {exact: "1"}}, headers: {baggage: {regex: dev}}}]
  route: [{destination: {host: reviews, subset: two}}]
  timeout: 2s
  retries: {attempts: 3, perTryTimeout: 1s, retryOn: "5xx,reset,418"}
- match: [{uri: {prefix: /old}}]
  redirect: {uri: /new, authority: far.example.org, redirectCode: 308}
- match: [{uri: {exact: /teapot}}]
  directResponse: {status: 418, body: {string: short and stout}}
- match: [{uri: {prefix: /api}, method: {regex: "PUT|POST"}}]
  rewrite: {uri: /v2, authority: inner.example.org}
  fault: {abort: {httpStatus: 503, percentage: {value: 50}}, delay: {fixedDelay: 1s, percentage: {value: 1}}}
  mirrors: [{destination: {host: reviews, subset: two}, percentage: {value: 10}}]
  route:
    - {destination: {host: reviews, subset: one}, weight: 90}
    - {destination: {host: reviews, subset: two}, weight: 10}
- route: [{destination: {host: reviews, subset: one}}]
"""
"""What only HTTP makes use of: it comes the same way, whatever the port is called."""

WORLDS: dict[str, str] = {
    "inline": join(
        _entry(
            f"{INSIDE}{GRPC}\nendpoints:\n"
            "- {address: 127.0.4.1, labels: {version: v1}, locality: eu/a/1, weight: 3}\n"
            "- {address: 127.0.4.2, ports: {grpc: 7000}, labels: {version: v2}, locality: eu/b}\n"
            "- {address: 127.0.4.3, labels: {version: v2, istio-locality: us.c}}\n"
            "- {address: 127.0.4.4, labels: {version: v2}}\n"
            '- {address: "::1", labels: {version: v1}}'
        ),
        subsets("reviews", "v1 v2"),
    ),
    "several-hosts-and-ports": _entry(
        f"hosts: [{HOST}, ratings.default.svc.cluster.local, '*.example.com', far.example.org]\n"
        "resolution: STATIC\nports: [{number: 9080, name: grpc, protocol: GRPC},"
        " {number: 80, name: http, protocol: HTTP, targetPort: 8080}]\n"
        "endpoints: [{address: 127.0.4.1}]"
    ),
    "tcp-port": _entry(
        f"{INSIDE}ports: [{{number: 9080, name: tcp, protocol: TCP}}]\nendpoints: [{{address: 127.0.4.1}}]"
    ),
    "unnamed-protocol": _entry(
        f"{INSIDE}ports: [{{number: 9080, name: any}}]\nendpoints: [{{address: 127.0.4.1}}]"
    ),
    "addresses": _entry(
        f"{INSIDE}{GRPC}\naddresses: [10.1.2.3, 10.1.2.4/32, 10.2.0.0/16, 'fd00::9']\n"
        "endpoints: [{address: 127.0.4.1}]"
    ),
    "no-endpoints": _entry(f"{INSIDE}{GRPC}"),
    "external": _entry(
        f"hosts: [{HOST}]\nresolution: STATIC\n{GRPC}\n"
        "endpoints: [{address: 127.0.4.1, labels: {app: far}}]"
    ),
    "resolution-none": _entry(f"hosts: [{HOST}]\nlocation: MESH_INTERNAL\n{GRPC}"),
    "resolution-dns": _entry(
        f"hosts: [{HOST}]\nresolution: DNS\n{GRPC}\nendpoints: [{{address: back.example.com}}]"
    ),
    "workloads": join(
        service("reviews"),
        workload("reviews", "v1", "127.0.1.1", "weight: 7\nlocality: eu/a\nports: {grpc: 7001, other: 1}"),
        workload("reviews", "v2", "127.0.1.2", "serviceAccount: someone"),
        workload("reviews", "v3", "here.example.com"),
        document("WorkloadEntry", "elsewhere", "address: 127.0.1.4\nlabels: {app: reviews}", "other"),
        document(
            "WorkloadEntry",
            "labelled",
            "address: 127.0.1.5\nlabels: {app: wrong}",
            metadata="labels: {app: reviews, version: v1}",
        ),
        subsets("reviews"),
    ),
    "workload-of-two-services": join(
        service("reviews"),
        document(
            "ServiceEntry",
            "again",
            "hosts: [again.default.svc.cluster.local]\nresolution: STATIC\nlocation: MESH_INTERNAL\n"
            f"{GRPC}\nworkloadSelector: {{labels: {{version: v1}}}}",
        ),
        workload("reviews", "v1", "127.0.1.1"),
        workload("reviews", "v2", "127.0.1.2"),
    ),
    "failover": join(
        _entry(
            f"{INSIDE}{GRPC}\nendpoints:\n"
            "- {address: 127.0.4.1, labels: {version: v1}, locality: eu/a}\n"
            "- {address: 127.0.4.2, labels: {version: v1}, locality: us/a}"
        ),
        document(
            "DestinationRule",
            "reviews",
            "host: reviews\ntrafficPolicy: {outlierDetection: {consecutive5xxErrors: 1}}\n"
            "subsets: [{name: v1, labels: {version: v1}}]",
        ),
    ),
    "failover-labels": join(
        _entry(
            f"{INSIDE}{GRPC}\nendpoints:\n"
            "- {address: 127.0.4.1, labels: {version: v1, app: productpage}}\n"
            "- {address: 127.0.4.2, labels: {version: v2}}\n"
            "- {address: 127.0.4.3, labels: {version: v2, app: productpage}}"
        ),
        document(
            "DestinationRule",
            "reviews",
            "host: reviews\ntrafficPolicy: {outlierDetection: {consecutive5xxErrors: 1},"
            " loadBalancer: {localityLbSetting: {failoverPriority: [app, version]}}}",
        ),
    ),
    "two-namespaces": join(
        service("reviews"),
        workload("reviews", "v1", "127.0.1.1"),
        document(
            "ServiceEntry",
            "reviews",
            f"{INSIDE}{GRPC}\nendpoints: [{{address: 127.0.5.1}}]",
            "other",
        ),
    ),
    "upper-case": _entry(
        f"hosts: [Reviews.default.svc.cluster.local]\nresolution: STATIC\n{GRPC}\n"
        "endpoints: [{address: 127.0.4.1}]"
    ),
    "http-port": join(
        service("reviews", ports="[{number: 9080, name: http, protocol: HTTP}]"),
        workload("reviews", "one", "127.0.1.1", "ports: {http: 7001}"),
        workload("reviews", "two", "127.0.1.2"),
        subsets("reviews", "one two"),
        virtual_service(HTTP_ROUTES),
    ),
}
