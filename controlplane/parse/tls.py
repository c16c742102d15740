"""`tls` of a trafficPolicy, by the rules of Istio's `ValidateTLS`."""

from __future__ import annotations

from controlplane.fields import Fields

_MODES = ("DISABLE", "SIMPLE", "MUTUAL", "ISTIO_MUTUAL")
_OWN = ("clientCertificate", "caCertificates", "privateKey", "caCrl")


def parse_tls(policy: Fields, namespace: str) -> str:
    """Read `tls` to its mode; "" where it is absent."""
    tls = policy.child("tls")
    if tls is None:
        return ""
    mode = tls.enum("mode", _MODES, "DISABLE")
    texts = {name: tls.string(name) for name in (*_OWN, "credentialName", "sni")}
    credential = texts["credentialName"]
    has_names = tls.has("subjectAltNames")
    tls.strings("subjectAltNames")
    if credential.startswith("configmap://"):
        where = credential.removeprefix("configmap://").split("/")
        if len(where) > 2 or (len(where) == 2 and where[0] != namespace):
            tls.error(f"a configmap:// must be one of the namespace {namespace}", "credentialName")
    if tls.boolean("insecureSkipVerify"):
        unwanted = texts["caCertificates"] or has_names
        if (mode == "SIMPLE" and (unwanted or credential)) or (mode == "MUTUAL" and unwanted):
            tls.error("cannot stand beside what would be verified", "insecureSkipVerify")
    if mode in ("SIMPLE", "MUTUAL"):
        policy.warn(f"{mode} has no effect on a gRPC client: Istiod sends ISTIO_MUTUAL only", "tls")
        if credential and any(texts[name] for name in _OWN):
            tls.error("cannot stand beside certificates given as files", "credentialName")
        elif mode == "MUTUAL" and not credential:
            for name in ("clientCertificate", "privateKey"):
                if not texts[name]:
                    tls.error("is required for MUTUAL", name)
    tls.close()
    return mode
