"""The table of features the generated cases are put together from; all YAML is for `http` of one host.

Each piece is a line of flow YAML, so that a case can be read as it is fed.
"""

from __future__ import annotations

from tests.istiod.documents import document, service, virtual_service

TO_V1 = "route: [{destination: {host: reviews, subset: v1}}]"
TO_V2 = "route: [{destination: {host: reviews, subset: v2}}]"

MATCHES: dict[str, str] = {
    "header-exact": "[{headers: {baggage: {exact: env=dev}}}]",
    "header-prefix": "[{headers: {x-user: {prefix: ja}}}]",
    "header-regex": '[{headers: {baggage: {regex: "(.*,)?env=dev(,.*)?"}}}]',
    "header-present": "[{headers: {x-user: {}}}]",
    "header-empty-exact": '[{headers: {x-user: {exact: ""}}}]',
    "header-case": "[{headers: {X-User: {exact: jason}}}]",
    "headers-several": "[{headers: {b-two: {exact: b}, a-one: {exact: a}}}]",
    "pseudo-header": '[{headers: {":path": {prefix: /bookinfo}, ":authority": {prefix: reviews}}}]',
    "without-exact": "[{withoutHeaders: {x-user: {exact: jason}}}]",
    "without-present": "[{withoutHeaders: {x-user: {}}}]",
    "without-star": '[{withoutHeaders: {x-user: {regex: "*"}}}]',
    "without-null": "[{withoutHeaders: {x-user: null}}]",
    "without-regex": '[{withoutHeaders: {x-user: {regex: "j.*"}}, headers: {x-user: {prefix: j}}}]',
    "uri-exact": "[{uri: {exact: /bookinfo.v1.Reviews/GetReviews}}]",
    "uri-prefix": "[{uri: {prefix: /bookinfo.v1.Reviews/}}]",
    "uri-regex": '[{uri: {regex: "/bookinfo\\\\..*/Get.*"}}]',
    "uri-all": "[{uri: {prefix: /}}, {headers: {x-user: {exact: never}}}]",
    "uri-all-regex": '[{uri: {regex: ".*"}}]',
    "uri-empty": '[{uri: {prefix: ""}}]',
    "uri-no-kind": "[{uri: {}}]",
    "uri-any-case": "[{uri: {prefix: /BOOKINFO.V1}, ignoreUriCase: true}]",
    "several": "[{headers: {x-user: {exact: jason}}}, {headers: {baggage: {exact: env=dev}}}]",
    "named": "[{name: first, headers: {x-user: {exact: jason}}}]",
    "port": "[{port: 9080}]",
    "port-other": "[{port: 9999}]",
    "port-and-header": "[{port: 9080, headers: {x-user: {exact: jason}}}, {port: 1}]",
    "authority": "[{authority: {prefix: reviews.default}}]",
    "authority-exact": "[{authority: {exact: 'reviews.default.svc.cluster.local:9080'}}]",
    "method": "[{method: {exact: POST}}]",
    "method-get": "[{method: {exact: GET}}]",
    "scheme": "[{scheme: {exact: http}}]",
    "source-labels": "[{sourceLabels: {app: productpage}}]",
    "source-labels-other": "[{sourceLabels: {app: details}}]",
    "source-namespace": "[{sourceNamespace: default}]",
    "source-namespace-other": "[{sourceNamespace: other}]",
    "gateways-mesh": "[{gateways: [mesh], sourceLabels: {app: nobody}}]",
    "gateways-other": "[{gateways: [front]}]",
    "query-exact": "[{queryParams: {user: {exact: jason}}}]",
    "query-several": '[{queryParams: {b: {regex: "x.*"}, a: {prefix: yy}, c: {}}}]',
    "stat-prefix": "[{statPrefix: lane, headers: {x-user: {exact: jason}}}]",
    "empty-match": "[{}]",
    "no-match": "[]",
}

ACTIONS: dict[str, str] = {
    "subset": TO_V2,
    "plain-host": "route: [{destination: {host: reviews}}]",
    "full-host": "route: [{destination: {host: reviews.default.svc.cluster.local, subset: v3}}]",
    "capital-host": "route: [{destination: {host: Reviews.default.svc.cluster.local, subset: v3}}]",
    "other-host": "route: [{destination: {host: ratings, subset: v1}}]",
    "other-host-port": "route: [{destination: {host: ratings, port: {number: 9080}}}]",
    "unknown-port": "route: [{destination: {host: ratings, port: {number: 1234}}}]",
    "unknown-subset": "route: [{destination: {host: reviews, subset: v9}}]",
    "unknown-host": "route: [{destination: {host: nowhere}}]",
    "weights": "route: [{destination: {host: reviews, subset: v1}, weight: 70},"
    " {destination: {host: reviews, subset: v2}, weight: 30}]",
    "weight-missing": "route: [{destination: {host: reviews, subset: v1}},"
    " {destination: {host: reviews, subset: v2}, weight: 30}]",
    "weight-zero": "route: [{destination: {host: reviews, subset: v1}, weight: 0},"
    " {destination: {host: reviews, subset: v2}, weight: 1}]",
    "weight-zero-alone": "route: [{destination: {host: reviews, subset: v2}, weight: 0}]",
    "weights-hosts": "route: [{destination: {host: reviews}, weight: 5},"
    " {destination: {host: ratings}, weight: 200}]",
    "named": f"name: lane-dev\n{TO_V2}",
    "timeout": f"timeout: 1.5s\n{TO_V2}",
    "timeout-long": f"timeout: 1h2m\n{TO_V2}",
    "retries-off": f"retries: {{attempts: 0}}\n{TO_V2}",
    "retries-empty": f"retries: {{}}\n{TO_V2}",
    "retries": f"retries: {{attempts: 3, perTryTimeout: 250ms, retryOn: 'cancelled,unavailable'}}\n{TO_V2}",
    "retries-codes": f"retries: {{attempts: 4, retryOn: '503,504,deadline-exceeded'}}\n{TO_V2}",
    "retries-only-codes": f"retries: {{attempts: 1, retryOn: '503'}}\n{TO_V2}",
    "retries-more": f"retries: {{attempts: 2, backoff: 40ms, retryRemoteLocalities: true,"
    f" retryIgnorePreviousHosts: false}}\n{TO_V2}",
    "retries-previous": f"retries: {{attempts: 2, retryIgnorePreviousHosts: true,"
    f" retryRemoteLocalities: false}}\n{TO_V2}",
    "abort-grpc": f"fault: {{abort: {{grpcStatus: UNAVAILABLE, percentage: {{value: 100}}}}}}\n{TO_V1}",
    "abort-http": f"fault: {{abort: {{httpStatus: 404, percentage: {{value: 0.5}}}}}}\n{TO_V1}",
    "abort-no-share": f"fault: {{abort: {{httpStatus: 500}}}}\n{TO_V1}",
    "abort-no-type": f"fault: {{abort: {{percentage: {{value: 50}}}}}}\n{TO_V1}",
    "delay": f"fault: {{delay: {{fixedDelay: 10ms, percentage: {{value: 12.5}}}}}}\n{TO_V1}",
    "delay-percent": f"fault: {{delay: {{fixedDelay: 10ms, percent: 7}}}}\n{TO_V1}",
    "delay-no-share": f"fault: {{delay: {{fixedDelay: 10ms}}}}\n{TO_V1}",
    "delay-no-time": f"fault: {{delay: {{percentage: {{value: 3}}}}}}\n{TO_V1}",
    "delay-and-abort": "fault: {delay: {fixedDelay: 10ms, percentage: {value: 100}},"
    f" abort: {{grpcStatus: NOT_FOUND, percentage: {{value: 100}}}}}}\n{TO_V1}",
    "headers": "headers: {request: {set: {x-lane: dev, a-first: '1'}, add: {x-more: 'yes'}, remove: [x-old]},"
    f" response: {{set: {{x-from: v2}}, add: {{via: mesh}}, remove: [server]}}}}\n{TO_V2}",
    "headers-authority": f"headers: {{request: {{set: {{Host: other.example.com}}}}}}\n{TO_V2}",
    "headers-destination": "route: [{destination: {host: reviews, subset: v2},"
    " headers: {request: {add: {x-version: v2, ':authority': deep.example.com}, remove: [a]},"
    " response: {set: {b: c}}}}]",
    "headers-weights": "headers: {request: {set: {a: b}}}\n"
    "route: [{destination: {host: reviews, subset: v1}, weight: 1, headers: {request: {set: {x-v: v1,"
    " host: one.example.com}}}},"
    " {destination: {host: reviews, subset: v2}, weight: 1, headers: {response: {remove: [x]}}}]",
    "rewrite": f"rewrite: {{uri: /other/}}\n{TO_V2}",
    "rewrite-authority": f"rewrite: {{authority: other.example.com}}\n{TO_V2}",
    "rewrite-regex": f"rewrite: {{uriRegexRewrite: {{match: '/a/(.*)', rewrite: '/b/\\1'}}}}\n{TO_V2}",
    "mirror": f"mirror: {{host: reviews, subset: v3}}\nmirrorPercentage: {{value: 10.5}}\n{TO_V2}",
    "mirror-all": f"mirror: {{host: ratings}}\n{TO_V2}",
    "mirror-none": f"mirror: {{host: ratings}}\nmirrorPercentage: {{value: 0}}\n{TO_V2}",
    "mirror-percent": f"mirror: {{host: ratings, port: {{number: 9080}}}}\nmirrorPercent: 20\n{TO_V2}",
    "mirrors": "mirrors: [{destination: {host: ratings}}, {destination: {host: reviews, subset: v3},"
    f" percentage: {{value: 1}}}}, {{destination: {{host: details}}, percentage: {{value: 0}}}}]\n{TO_V2}",
    "redirect": "redirect: {uri: /elsewhere, authority: other.example.com}",
    "redirect-code": "redirect: {scheme: https, redirectCode: 307, port: 8443}",
    "redirect-derived": "redirect: {authority: a.example.com, derivePort: FROM_REQUEST_PORT,"
    " redirectCode: 302}",
    "redirect-default-port": "redirect: {scheme: https, port: 443, redirectCode: 308}",
    "direct-response": "directResponse: {status: 503, body: {string: closed}}",
    "direct-response-bytes": "directResponse: {status: 200, body: {bytes: aGVsbG8=}}",
    "direct-response-empty": "directResponse: {status: 204}",
    "cors": "corsPolicy: {allowOrigins: [{exact: 'https://a.example.com'}, {regex: 'https://b.*'}],"
    " allowMethods: [GET, POST], allowHeaders: [x-a], exposeHeaders: [x-b], maxAge: 24h,"
    f" allowCredentials: true}}\n{TO_V2}",
    "cors-ignore": f"corsPolicy: {{allowOrigin: ['*'], unmatchedPreflights: IGNORE}}\n{TO_V2}",
}

_ROUTES = "- match: [{headers: {x-user: {exact: jason}}}]\n  " + TO_V2 + "\n- " + TO_V1

SURROUNDINGS: dict[str, str] = {
    "none": "",
    "two-services-of-a-host": virtual_service(
        "- route: [{destination: {host: reviews, subset: v3}}]", "a-second"
    ),
    "two-hosts": virtual_service(_ROUTES, "more", "[ratings, details]"),
    "wildcard-host": virtual_service(
        "- route: [{destination: {host: reviews, subset: v3}}]", "all", "['*.default.svc.cluster.local']"
    ),
    "wildcard-longer": virtual_service(
        "- timeout: 2s\n  route: [{destination: {host: ratings}}]", "z-longer", "['*.svc.cluster.local']"
    ),
    "gateway-only": virtual_service(_ROUTES, "a-front", more="gateways: [front]"),
    "gateway-and-mesh": virtual_service(_ROUTES, "z-both", "[details]", more="gateways: [front, mesh]"),
    "export-private": virtual_service(_ROUTES, "a-private", more="exportTo: ['.']"),
    "export-elsewhere": virtual_service(_ROUTES, "a-elsewhere", more="exportTo: [other]"),
    "export-both": virtual_service(_ROUTES, "a-both", more="exportTo: [other, '.']"),
    "other-namespace": virtual_service(
        "- route: [{destination: {host: reviews.default.svc.cluster.local, subset: v3}}]",
        "a-foreign",
        "[reviews.default.svc.cluster.local]",
        "other",
    ),
    "other-namespace-to-us": virtual_service(
        "- route: [{destination: {host: reviews.default.svc.cluster.local, subset: v3}}]",
        "z-foreign",
        "[reviews.default.svc.cluster.local]",
        "other",
        "exportTo: [default]",
    ),
    "older": virtual_service("- route: [{destination: {host: reviews, subset: v3}}]", "z-older").replace(
        "namespace: default}", "namespace: default, creationTimestamp: '2020-01-01T00:00:00Z'}"
    ),
    "service-exported-away": service("details", more="exportTo: [other]").replace(
        "name: details", "name: z-details", 1
    ),
    "service-private": document(
        "ServiceEntry",
        "hidden",
        "hosts: [reviews.default.svc.cluster.local]\nresolution: STATIC\nlocation: MESH_INTERNAL\n"
        "exportTo: ['.']\nports: [{number: 9080, name: grpc, protocol: GRPC}]\n"
        "endpoints: [{address: 127.0.9.1}]",
        "other",
    ),
    "same-host-twice": document(
        "ServiceEntry",
        "z-again",
        "hosts: [reviews.default.svc.cluster.local]\nresolution: STATIC\nlocation: MESH_INTERNAL\n"
        "ports: [{number: 9080, name: grpc, protocol: GRPC}, {number: 9081, name: more, protocol: GRPC}]\n"
        "endpoints: [{address: 127.0.1.9, labels: {version: v1}}]",
    ),
    "delegate": "---\n".join(
        (
            virtual_service(
                "- name: root\n  match: [{headers: {baggage: {exact: env=dev}}}]\n"
                "  delegate: {name: leaf}\n  timeout: 3s\n"
                "- delegate: {name: missing}\n- route: [{destination: {host: ratings, subset: v1}}]",
                "ratings",
                "[ratings]",
            ),
            document(
                "VirtualService",
                "leaf",
                "http:\n- name: leaf\n"
                "  match: [{uri: {prefix: /bookinfo}}, {headers: {x-user: {exact: j}}}]\n"
                "  route: [{destination: {host: ratings, subset: v2}}]\n"
                "- route: [{destination: {host: ratings, subset: v1}}]",
            ),
        )
    ),
    "delegate-conflict": "---\n".join(
        (
            virtual_service(
                "- match: [{uri: {prefix: /bookinfo}}]\n  delegate: {name: leaf, namespace: other}\n"
                "- route: [{destination: {host: ratings, subset: v1}}]",
                "ratings",
                "[ratings]",
            ),
            document(
                "VirtualService",
                "leaf",
                "http:\n- match: [{uri: {prefix: /other}}]\n"
                "  route: [{destination: {host: ratings.default.svc.cluster.local, subset: v2}}]\n"
                "- match: [{uri: {exact: /bookinfo.v1.Reviews/GetReviews}}]\n"
                "  retries: {attempts: 1}\n"
                "  route: [{destination: {host: ratings.default.svc.cluster.local}}]",
                "other",
            ),
        )
    ),
    "delegate-private": "---\n".join(
        (
            virtual_service(
                "- delegate: {name: leaf, namespace: other}\n"
                "- route: [{destination: {host: ratings, subset: v1}}]",
                "ratings",
                "[ratings]",
            ),
            document(
                "VirtualService",
                "leaf",
                "exportTo: ['.']\nhttp:\n- route: [{destination: {host: ratings}}]",
                "other",
            ),
        )
    ),
}


def _rule(name: str, policy: str, subset: str = "", more: str = "", namespace: str = "default") -> str:
    """A DestinationRule for reviews, to stand before the one of the world."""
    extra = f", trafficPolicy: {subset}" if subset else ""
    return document(
        "DestinationRule",
        name,
        f"host: reviews.default.svc.cluster.local\n{more}\ntrafficPolicy: {policy}\n"
        f"subsets: [{{name: v2, labels: {{version: v2}}{extra}}}]",
        namespace,
    )


RULES: dict[str, str] = {
    "none": "",
    "least-request": _rule("a-rule", "{loadBalancer: {simple: LEAST_REQUEST}}"),
    "least-conn": _rule("a-rule", "{loadBalancer: {simple: LEAST_CONN}}"),
    "random": _rule("a-rule", "{loadBalancer: {simple: RANDOM}}", "{loadBalancer: {simple: ROUND_ROBIN}}"),
    "passthrough": _rule("a-rule", "{loadBalancer: {simple: PASSTHROUGH}}"),
    "hash-header": _rule("a-rule", "{loadBalancer: {consistentHash: {httpHeaderName: x-user}}}"),
    "hash-cookie": _rule(
        "a-rule",
        "{loadBalancer: {consistentHash: {httpCookie: {name: user, ttl: 10s, path: /}}}}",
    ),
    "hash-source": _rule("a-rule", "{loadBalancer: {consistentHash: {useSourceIp: true}}}"),
    "hash-query": _rule(
        "a-rule", "{loadBalancer: {consistentHash: {httpQueryParameterName: q, minimumRingSize: 2048}}}"
    ),
    "hash-ring": _rule(
        "a-rule",
        "{loadBalancer: {consistentHash: {httpHeaderName: x-user, ringHash: {minimumRingSize: 4096}}}}",
    ),
    "hash-maglev": _rule(
        "a-rule", "{loadBalancer: {consistentHash: {httpHeaderName: x-user, maglev: {tableSize: 65537}}}}"
    ),
    "hash-subset": _rule(
        "a-rule",
        "{loadBalancer: {simple: LEAST_REQUEST}}",
        "{loadBalancer: {consistentHash: {httpHeaderName: x-v2}}}",
    ),
    "hash-port": _rule(
        "a-rule",
        "{portLevelSettings: [{port: {number: 9080},"
        " loadBalancer: {consistentHash: {httpHeaderName: x-port}}}]}",
    ),
    "pool": _rule(
        "a-rule",
        "{connectionPool: {tcp: {maxConnections: 5, connectTimeout: 1s},"
        " http: {http2MaxRequests: 100, http1MaxPendingRequests: 7}}}",
        "{connectionPool: {http: {http2MaxRequests: 3}}}",
    ),
    "pool-port": _rule(
        "a-rule",
        "{connectionPool: {http: {http2MaxRequests: 10}},"
        " portLevelSettings: [{port: {number: 9080}, loadBalancer: {simple: LEAST_REQUEST}},"
        " {port: {number: 1}, connectionPool: {http: {http2MaxRequests: 1}}}]}",
        "{portLevelSettings: [{port: {number: 9080}, connectionPool: {http: {http2MaxRequests: 20}}}]}",
    ),
    "outlier": _rule(
        "a-rule",
        "{outlierDetection: {consecutive5xxErrors: 3, interval: 5s, baseEjectionTime: 30s,"
        " maxEjectionPercent: 50}}",
    ),
    "tls-disable": _rule("a-rule", "{tls: {mode: DISABLE}}"),
    "tls-simple": _rule("a-rule", "{tls: {mode: SIMPLE, sni: a.example.com}}"),
    "tls-istio": _rule("a-rule", "{tls: {mode: ISTIO_MUTUAL}}", "{tls: {mode: DISABLE}}"),
    "wildcard": document(
        "DestinationRule",
        "a-wild",
        "host: '*.default.svc.cluster.local'\ntrafficPolicy: {loadBalancer: {simple: LEAST_REQUEST}}\n"
        "subsets: [{name: v2, labels: {version: v2}}]",
    ),
    "callers-namespace": document(
        "DestinationRule",
        "foreign",
        "host: reviews.default.svc.cluster.local\nsubsets: [{name: v2, labels: {version: v3}}]",
        "other",
    ),
    "root-namespace": document(
        "DestinationRule",
        "root",
        "host: '*.local'\ntrafficPolicy: {loadBalancer: {simple: LEAST_REQUEST}}\n"
        "subsets: [{name: v2, labels: {version: v1}}]",
        "istio-system",
    ),
    "private": _rule("a-rule", "{loadBalancer: {simple: LEAST_REQUEST}}", more="exportTo: ['.']"),
    "exported": _rule("a-rule", "{loadBalancer: {simple: LEAST_REQUEST}}", more="exportTo: [other]"),
    "selected": _rule(
        "z-rule",
        "{connectionPool: {http: {http2MaxRequests: 9}}}",
        more="workloadSelector: {matchLabels: {app: productpage}}",
    ),
    "selected-other": _rule(
        "a-rule",
        "{connectionPool: {http: {http2MaxRequests: 9}}}",
        more="workloadSelector: {matchLabels: {app: nobody}}",
    ),
}
