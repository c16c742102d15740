"""The transport socket of ISTIO_MUTUAL: certificates by the names every mesh client knows."""

from __future__ import annotations

from envoy.config.core.v3 import base_pb2
from envoy.extensions.transport_sockets.tls.v3 import common_pb2, tls_pb2

from controlplane.registry import Service
from controlplane.translate.anys import pack

NAME = "envoy.transport_sockets.tls"
INSTANCE = "default"
ROOT = "ROOTCA"


def build_transport_socket(service: Service) -> base_pb2.TransportSocket:
    """TLS with the workload's own certificate, to whoever holds one of the service's identities."""
    old, new = (
        tls_pb2.CommonTlsContext.CertificateProviderInstance,
        common_pb2.CertificateProviderPluginInstance,
    )
    root = common_pb2.CertificateValidationContext(
        ca_certificate_provider_instance=new(instance_name=INSTANCE, certificate_name=ROOT)
    )
    for identity in service.identities:
        root.match_subject_alt_names.add(exact=identity)
    context = tls_pb2.CommonTlsContext(
        tls_certificate_provider_instance=new(instance_name=INSTANCE, certificate_name=INSTANCE),
        # The two old spellings, which Istiod sends along for clients that know no others.
        tls_certificate_certificate_provider_instance=old(instance_name=INSTANCE, certificate_name=INSTANCE),
        combined_validation_context=tls_pb2.CommonTlsContext.CombinedCertificateValidationContext(
            default_validation_context=root,
            validation_context_certificate_provider_instance=old(
                instance_name=INSTANCE, certificate_name=ROOT
            ),
        ),
    )
    packed = pack(tls_pb2.UpstreamTlsContext(common_tls_context=context))
    return base_pb2.TransportSocket(name=NAME, typed_config=packed)
