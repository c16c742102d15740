"""Documents of which only one thing is asked: does Istio's validation take them?"""

from __future__ import annotations

from tests.istiod.documents import document
from tests.unit.controlplane import test_controlplane_accepted as taken
from tests.unit.controlplane import test_controlplane_validation as refused

_TO = "route: [{destination: {host: a}}]"


def routes(*lines: str) -> list[str]:
    """VirtualServices of one route to a host, with these lines in it."""
    return [http(f"{line}\n{_TO}") for line in lines]


def http(route: str) -> str:
    """A VirtualService of one route."""
    body = "\n".join(("- " if i == 0 else "  ") + line for i, line in enumerate(route.splitlines()))
    return document("VirtualService", "thing", f"hosts: [reviews]\nhttp:\n{body}")


def rules(*policies: str) -> list[str]:
    """DestinationRules of one trafficPolicy."""
    return [
        document("DestinationRule", "thing", f"host: reviews\ntrafficPolicy: {each}") for each in policies
    ]


def hashing(text: str) -> str:
    """A trafficPolicy with a consistentHash."""
    return f"{{loadBalancer: {{consistentHash: {text}}}}}"


def place(text: str) -> str:
    """A document of the unit tests, with the namespace Istiod wants to read."""
    return text.replace("  name: thing\n", "  name: thing\n  namespace: default\n")


_ENTRY = "hosts: [a.example.com]\nresolution: STATIC\n"

MORE: list[str] = [
    # what leads where
    *map(
        http,
        (
            "redirect: {}",
            "redirect: {uri: /a}\ntimeout: 1s",
            f"redirect: {{uri: /a}}\n{_TO}",
            "redirect: {uri: /a}\nroute: []",
            "redirect: {uri: /a}\nfault: {abort: {httpStatus: 500}}",
            "redirect: {uri: /a}\nrewrite: {uri: /b}",
            "redirect: {uri: /a}\ndirectResponse: {status: 200}",
            "redirect: {uri: /a, redirectCode: 200}",
            "redirect: {uri: /a, redirectCode: 304}",
            "redirect: {scheme: ftp}",
            "redirect: {port: 99999}",
            "redirect: {port: 0}",
            "redirect: {port: 1, derivePort: FROM_REQUEST_PORT}",
            "redirect: {derivePort: FROM_SOMEWHERE}",
            "redirect: {derivePort: 1}",
            "directResponse: {}",
            "directResponse: {status: 99}",
            "directResponse: {status: 600}",
            "directResponse: {status: 200, body: {}}",
            "directResponse: {status: 200, body: {string: a, bytes: YQ==}}",
            "directResponse: {status: 200, body: {bytes: '*'}}",
            "directResponse: {status: 200, body: {bytes: YQ}}",
            f"directResponse: {{status: 200}}\n{_TO}",
            "directResponse: {status: 200}\nfault: {abort: {httpStatus: 500}}",
            "directResponse: {status: 200}\nrewrite: {uri: /}",
            "delegate: {name: a}",
            "delegate: {}",
            f"delegate: {{name: a}}\n{_TO}",
            "delegate: {name: a}\nroute: []",
            "delegate: {name: a}\nredirect: {uri: /}",
            "delegate: {name: a}\ndirectResponse: {status: 200}",
            "delegate: {name: a}\ntimeout: 1s\nrewrite: {uri: /}",
            "mirror: {host: a}",
        ),
    ),
    # delegates
    document("VirtualService", "thing", f"http:\n- {_TO}"),
    document("VirtualService", "thing", f"gateways: [mesh]\nhttp:\n- {_TO}"),
    document("VirtualService", "thing", "http:\n- delegate: {name: a}"),
    document("VirtualService", "thing", f"hosts: []\ntcp: [{{{_TO}}}]"),
    document("VirtualService", "thing", f"hosts: [reviews]\ntcp: [{{{_TO}}}]"),
    document(
        "VirtualService", "thing", f"hosts: [reviews]\ntls: [{{match: [{{sniHosts: [reviews]}}], {_TO}}}]"
    ),
    # what a route changes
    *routes(
        "rewrite: {}",
        "rewrite: {uri: /, authority: a}",
        "rewrite: {uri: /, uriRegexRewrite: {match: a, rewrite: b}}",
        "rewrite: {uriRegexRewrite: {match: a}}",
        "rewrite: {uriRegexRewrite: {match: '(', rewrite: b}}",
        "rewrite: {uriRegexRewrite: {match: '/(a)', rewrite: '\\1'}}",
        "rewrite: {authority: a}\nheaders: {request: {set: {host: b}}}",
        "headers: {request: {set: {host: a}, add: {':authority': b}}}",
        "headers: {request: {set: {host: a}}}",
        "headers: {request: {set: {':path': a}}}",
        "headers: {request: {remove: [host]}}",
        "headers: {request: {remove: ['']}}",
        "headers: {request: {add: {'': a}}}",
        "headers: {response: {set: {host: a}}}",
        "headers: {response: {set: {a: '%'}}}",
        "headers: {response: {set: {a: '100%%'}}}",
        "headers: {response: {set: {a: '%HOSTNAME%'}}}",
        "headers: {response: {set: {a: 'x%REQ(a)%'}}}",
        "headers: {response: {set: {a: '%REQ(a'}}}",
        'headers: {response: {set: {a: %REQ(["a", "b"])%}}}',
        'headers: {response: {set: {a: "a\\u0001"}}}',
        "headers: {response: {set: {a: 1}}}",
        "headers: {request: {}}",
        "headers: {both: {}}",
        "mirror: {host: '*'}",
        "mirror: {host: b, subset: 'a.b'}",
        "mirror: {host: b, port: {number: 0}}",
        "mirror: {host: b}\nmirrors: [{destination: {host: c}}]",
        "mirror: {host: b}\nmirrors: []",
        "mirrors: [{}]",
        "mirrors: [{destination: {host: b}, percentage: {value: 101}}]",
        "mirrors: [{destination: {host: b}, percentage: {value: -1}}]",
        "mirrors: [{destination: {host: b}, percentage: {value: 0.00001}}]",
        "mirrorPercent: 101",
        "mirrorPercent: -1",
        "mirrorPercentage: {value: 100.5}",
        "corsPolicy: {}",
        "corsPolicy: {allowOrigins: [{exact: ''}]}",
        "corsPolicy: {allowOrigins: [{}]}",
        "corsPolicy: {allowOrigins: [{prefix: a}, {regex: '('}]}",
        "corsPolicy: {allowMethods: [GOT]}",
        "corsPolicy: {allowMethods: ['*']}",
        "corsPolicy: {allowHeaders: ['a b']}",
        "corsPolicy: {exposeHeaders: ['*', a]}",
        "corsPolicy: {maxAge: 1.5s}",
        "corsPolicy: {maxAge: 0s}",
        "corsPolicy: {unmatchedPreflights: SOMETIMES}",
        "match: [{queryParams: {a: {}}}]",
        "match: [{queryParams: {a: null}}]",
        "match: [{queryParams: {a: {prefix: ''}}}]",
        "match: [{queryParams: {a: {regex: '*'}}}]",
        "match: [{headers: {a: {prefix: y}}}]",
        "match: [{headers: {a: {prefix: yes}}}]",
        "match: [{headers: {a: {exact: 2020-01-01}}}]",
        "match: [null]",
        "fault: {delay: {fixedDelay: 1s, percent: 200}}",
        "fault: {delay: {fixedDelay: 1s, percent: -1}}",
        "fault: {delay: {percent: 10}}",
        "retries: {attempts: 1, retryOn: 'reset, 503'}",
        "retries: {attempts: 1, retryOn: '0503'}",
        "retries: {attempts: 1, retryOn: '418'}",
        "retries: {attempts: 1, perTryTimeout: 0s}",
        "retries: {retryIgnorePreviousHosts: true}",
        "timeout: 1us",
    ),
    # who sees it
    *(
        document("VirtualService", "thing", f"hosts: [a]\nhttp:\n- {_TO}\nexportTo: {each}")
        for each in (
            "['.']",
            "['*']",
            "['~']",
            "[a, b]",
            "[a, a]",
            "['.', default]",
            "['*', a]",
            "[A_b]",
            "['']",
        )
    ),
    document("DestinationRule", "thing", "host: a\nexportTo: ['.', other]"),
    document("DestinationRule", "thing", "host: a\nexportTo: ['~']"),
    document("ServiceEntry", "thing", f"{_ENTRY}exportTo: ['~']"),
    document("ServiceEntry", "thing", f"{_ENTRY}exportTo: ['~', a]"),
    # policies
    *rules(
        "{}",
        "{loadBalancer: {}}",
        "{loadBalancer: {simple: RANDOM}}",
        "{loadBalancer: {simple: FASTEST}}",
        "{loadBalancer: {simple: RANDOM, consistentHash: {useSourceIp: true}}}",
        "{loadBalancer: {warmup: {}}}",
        "{loadBalancer: {warmup: {duration: 10s, aggression: 0.5}}}",
        "{loadBalancer: {warmup: {duration: 10s, minimumPercent: 101}}}",
        "{loadBalancer: {warmupDurationSecs: 10s}}",
        *(
            hashing(each)
            for each in (
                "{}",
                "{httpHeaderName: a, useSourceIp: true}",
                "{httpCookie: {}}",
                "{httpCookie: {name: a, ttl: 0s}}",
                "{httpCookie: {name: a, attributes: [{name: b}, {name: b}]}}",
                "{useSourceIp: true, minimumRingSize: 1, ringHash: {}}",
                "{useSourceIp: true, maglev: {}}",
                "{useSourceIp: true, maglev: {tableSize: 4}}",
                "{useSourceIp: true, maglev: {tableSize: 5}}",
                "{useSourceIp: true, maglev: {tableSize: 5000011}}",
                "{useSourceIp: true, maglev: {tableSize: 5}, ringHash: {}}",
            )
        ),
        "{loadBalancer: {localityLbSetting: {enabled: false}}}",
        "{loadBalancer: {localityLbSetting: {distribute: [{from: a/*, to: {'a/b/*': 80, c: 20}}]}}}",
        "{loadBalancer: {localityLbSetting: {distribute: [{from: a/*, to: {b: 80}}]}}}",
        "{loadBalancer: {localityLbSetting: {distribute: [{from: a, to: {b: 100, c: 0}}]}}}",
        "{loadBalancer: {localityLbSetting: {distribute: [{from: a, to: {b: 50, b/c: 50}}]}}}",
        "{loadBalancer: {localityLbSetting: {distribute: [{from: '*/a', to: {b: 100}}]}}}",
        "{loadBalancer: {localityLbSetting:"
        " {distribute: [{from: a, to: {b: 100}}], failover: [{from: a, to: b}]}}}",
        "{loadBalancer: {localityLbSetting: {failover: [{from: a, to: a}]}}}",
        "{loadBalancer: {localityLbSetting: {failover: [{from: a/b, to: c}]}}}",
        "{loadBalancer: {localityLbSetting: {failover: [{from: a, to: b}], failoverPriority: [x]}}}",
        "{connectionPool: {}}",
        "{connectionPool: {http: {}}}",
        "{connectionPool: {http: {http2MaxRequests: -1}}}",
        "{connectionPool: {http: {h2UpgradePolicy: UPGRADE, useClientProtocol: true}}}",
        "{connectionPool: {http: {idleTimeout: 0s}}}",
        "{connectionPool: {tcp: {idleTimeout: 0s}}}",
        "{connectionPool: {tcp: {connectTimeout: 1us}}}",
        "{connectionPool: {tcp: {tcpKeepalive: {time: 0s}}}}",
        "{connectionPool: {udp: {}}}",
        "{outlierDetection: {}}",
        "{outlierDetection: {maxEjectionPercent: 101}}",
        "{outlierDetection: {consecutiveLocalOriginFailures: 5}}",
        "{outlierDetection: {consecutiveLocalOriginFailures: 5, splitExternalLocalOriginErrors: true}}",
        "{outlierDetection: {interval: 0.1ms}}",
        "{outlierDetection: {consecutiveErrors: 3}}",
        "{tls: {}}",
        "{tls: {mode: MUTUAL}}",
        "{tls: {mode: MUTUAL, clientCertificate: /a, privateKey: /b}}",
        "{tls: {mode: SIMPLE, credentialName: a, caCertificates: /b}}",
        "{tls: {mode: SIMPLE, insecureSkipVerify: true, subjectAltNames: [a]}}",
        "{tls: {mode: ISTIO_MUTUAL, clientCertificate: /a}}",
        "{tls: {mode: SIMPLE, credentialName: 'configmap://other/a'}}",
        "{portLevelSettings: []}",
        "{portLevelSettings: [{port: {number: 80}}]}",
        "{portLevelSettings: [{loadBalancer: {}}]}",
        "{portLevelSettings: [{port: {number: 80}, loadBalancer: {simple: RANDOM}}]}",
        "{tunnel: {targetHost: a.com, targetPort: 80}}",
        "{tunnel: {targetHost: a.com}}",
        "{tunnel: {protocol: GET, targetHost: a.com, targetPort: 80}}",
        "{tunnel: {targetHost: a.com, targetPort: 80}, proxyProtocol: {}}",
        "{proxyProtocol: {version: V2}}",
        "{retryBudget: {percent: 20}}",
    ),
    document("DestinationRule", "thing", "host: a\nworkloadSelector: {}"),
    document("DestinationRule", "thing", "host: a\nworkloadSelector: {matchLabels: {a: '*'}}"),
    document(
        "DestinationRule", "thing", "host: a\nworkloadSelector: {matchLabels: {a: b}}\nexportTo: [other]"
    ),
    document("DestinationRule", "thing", "host: a\nworkloadSelector: {matchLabels: {a: b}}\nexportTo: ['.']"),
    document("DestinationRule", "thing", "host: a\nsubsets: [{name: v1, trafficPolicy: {}}]"),
    # services
    *(
        document("ServiceEntry", "thing", each)
        for each in (
            "hosts: [a.com]",
            "hosts: [a.com]\nendpoints: [{address: 1.2.3.4}]",
            "hosts: [a.com]\nresolution: DNS",
            "hosts: ['*.a.com']\nresolution: DNS",
            "hosts: [a.com]\nresolution: DNS\nendpoints: [{address: b.com}]",
            "hosts: [a.com]\nresolution: DNS\naddresses: [10.0.0.0/8]",
            "hosts: [a.com]\nresolution: DNS_ROUND_ROBIN\nendpoints: [{address: b.com}, {address: c.com}]",
            "hosts: [a.com]\nresolution: DYNAMIC_DNS",
            "hosts: ['*.a.com']\nresolution: DYNAMIC_DNS\nports: [{number: 80, name: http, protocol: HTTP}]",
            "hosts: [a.com, b.com]\nports: [{number: 80, name: tcp, protocol: TCP}]",
            "hosts: [a.com, b.com]\nresolution: STATIC\nports: [{number: 80, name: any}]",
            "hosts: [a.com, b.com]\nresolution: STATIC\nports: [{number: 80, name: tls, protocol: TLS}]",
            "hosts: [a.com]\nresolution: STATIC\nendpoints: [{address: 'unix:///a'}]",
            "hosts: [a.com]\nresolution: STATIC\nendpoints: [{network: far}]",
            "hosts: [a.com]\nresolution: STATIC\nworkloadSelector: {}",
            "hosts: [a.com]\nresolution: 1",
            "hosts: [a.com]\nresolution: STATIC\nsubjectAltNames: [a]",
        )
    ),
    *(
        document("WorkloadEntry", "thing", each)
        for each in (
            "network: far",
            "address: unix:///tmp/a",
            "address: unix://a",
            "address: 'unix://@a'\nports: {a: 1}",
            "address: 1.2.3.4\nweight: 0",
            "address: 1.2.3.4\nports: {A_b: 1}",
            "address: 1.2.3.4\nnetwork: near",
        )
    ),
]


def all_documents() -> list[str]:
    """Every document once: those above, and those the unit tests hold to be taken or refused."""
    theirs = [*taken.SOUND, *(text for text, field, _ in refused.CASES if field.startswith("spec."))]
    return list(dict.fromkeys((*MORE, *map(place, theirs))))
