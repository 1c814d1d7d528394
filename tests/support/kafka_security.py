"""A certificate authority of a test, and the settings of a broker with TLS, client certificates, SCRAM and ACLs."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Identity:
    """Files of one certificate: the certificate, its key, and both with the authority in one PEM."""

    certificate: Path
    key: Path
    together: Path


class Authority:
    """Signs certificates for a day."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = self._signed("authority", self._key.public_key(), authority=True)
        self.file = folder / "authority.pem"
        self.file.write_bytes(_pem(self._certificate))

    def issue(self, name: str) -> Identity:
        """Return a certificate of a name, for client and server on loopback."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._signed(name, key.public_key())
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        made = Identity(*(self._folder / f"{name}.{kind}.pem" for kind in ("certificate", "key", "together")))
        made.certificate.write_bytes(_pem(certificate))
        made.key.unlink(missing_ok=True)  # of a name that was issued before; nobody but root may write to it
        made.key.write_bytes(private)
        made.key.chmod(0o400)
        made.together.write_bytes(private + _pem(certificate) + _pem(self._certificate))
        return made

    def _signed(self, name: str, key: ec.EllipticCurvePublicKey, *, authority: bool = False) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer = subject if authority else self._certificate.subject
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if not authority:
            names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self._key, hashes.SHA256())


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def secured(authority: Authority) -> Mapping[str, str]:
    """Return the settings of a broker: one port for client certificates, one for SCRAM, and nothing without a right."""
    own = authority.issue("broker")
    login = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
    return {
        "listeners": "SSL://127.0.0.1:{port},SASL_SSL://127.0.0.1:{sasl_port},CONTROLLER://127.0.0.1:{controller}",
        "advertised.listeners": "SSL://127.0.0.1:{port},SASL_SSL://127.0.0.1:{sasl_port}",
        "listener.security.protocol.map": "SSL:SSL,SASL_SSL:SASL_SSL,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "SSL",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(own.together),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority.file),
        "ssl.client.auth": "required",
        "listener.name.sasl_ssl.ssl.client.auth": "none",
        "ssl.principal.mapping.rules": "RULE:^CN=(.*?)(,.*)?$/$1/,DEFAULT",
        "sasl.enabled.mechanisms": "SCRAM-SHA-256,SCRAM-SHA-512",
        "listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config": login,
        "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": login,
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "false",
        "super.users": "User:broker;User:ANONYMOUS;User:admin",
    }
