"""A certificate authority of the test's own, and tokens as Kubernetes projects them."""

from __future__ import annotations

import base64
import datetime
import json
from dataclasses import dataclass
from pathlib import Path

import grpc
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass
class Authority:
    """Signs server certificates."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def make(cls, name: str = "test root") -> Authority:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        return cls(key, _builder(subject, subject, key, ca=True).sign(key, hashes.SHA256()))

    @property
    def root(self) -> bytes:
        """Its own certificate, as PEM."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def server_credentials(self, name: str) -> grpc.ServerCredentials:
        """Credentials of a server called `name`."""
        return grpc.ssl_server_credentials([self._pair(name)])

    def files(self, name: str, folder: Path) -> tuple[Path, Path]:
        """The same as files: its certificate and its key."""
        found = folder / "tls.crt", folder / "tls.key"
        for path, text in zip(found, reversed(self._pair(name)), strict=True):
            path.write_bytes(text)
        return found

    def _pair(self, name: str) -> tuple[bytes, bytes]:
        """Key and certificate of a server, as PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = (
            _builder(subject, self.certificate.subject, key)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
            .sign(self.key, hashes.SHA256())
        )
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return private, certificate.public_bytes(serialization.Encoding.PEM)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, *, ca: bool = False
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )


def token(expiry: float, subject: str = "system:serviceaccount:default:reviews") -> str:
    """A JSON Web Token that says when it expires; nobody here checks its signature."""
    parts = ({"alg": "none"}, {"sub": subject, "aud": ["istio-ca"], "exp": int(expiry)})
    encoded = [base64.urlsafe_b64encode(json.dumps(each).encode()).rstrip(b"=").decode() for each in parts]
    return ".".join([*encoded, "c2lnbmF0dXJl"])
