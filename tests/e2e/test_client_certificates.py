"""mTLS through a real nginx with the configuration of `deploy/nginx`: the certificate decides, and only from there."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.installation import FINESS, Installation, free_port
from tests.support.posted import bundle, patient, put
from tests.support.serving import until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("nginx") is None, reason="no nginx: apt-get install nginx-light"),
]

PROJECT = Path(__file__).resolve().parents[2]
SENT = json.dumps(bundle("transaction", put(patient("tls"), fullUrl="https://his.example/fhir/Patient/tls")))
FHIR = {"Content-Type": "application/fhir+json"}


@dataclass
class Authority:
    """A certificate authority in a folder."""

    folder: Path
    name: str

    def __post_init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._made(self.name, self.key, self.key, authority=True)
        self.file = self._write(f"{self.name}.pem", self.certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, *, days: int = 30) -> tuple[Path, Path]:
        """Return the files of a certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._made(name, key, self.key, days=days)
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return (
            self._write(f"{name}.crt", certificate.public_bytes(serialization.Encoding.PEM)),
            self._write(f"{name}.key", pem),
        )

    def _made(
        self,
        name: str,
        key: ec.EllipticCurvePrivateKey,
        signer: ec.EllipticCurvePrivateKey,
        *,
        days: int = 30,
        authority: bool = False,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=60))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("gateway.example")]), critical=False)
            .sign(signer, hashes.SHA256())
        )

    def _write(self, name: str, content: bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path


def fingerprint(file: Path) -> str:
    return x509.load_pem_x509_certificate(file.read_bytes()).fingerprint(hashes.SHA256()).hex()


@contextmanager
def nginx(folder: Path, *, port: int, upstream: int, certificate: tuple[Path, Path], clients: Path) -> Iterator[None]:
    """Run nginx in the foreground with the product's configuration, its paths and ports put in."""
    served = (PROJECT / "deploy" / "nginx" / "snds-gateway.conf").read_text(encoding="utf-8")
    for old, new in {
        "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
        "server 127.0.0.1:8080": f"server 127.0.0.1:{upstream}",
        "/etc/nginx/tls/gateway.pem": str(certificate[0]),
        "/etc/nginx/tls/gateway.key": str(certificate[1]),
        "/etc/nginx/tls/client-authorities.pem": str(clients),
    }.items():
        assert old in served
        served = served.replace(old, new)
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    paths = "".join(f"{kind}_temp_path {folder / kind};\n" for kind in kinds)
    (folder / "nginx.conf").write_text(
        f"daemon off; master_process off; pid {folder / 'pid'}; error_log stderr warn;\n"
        f"events {{}}\nhttp {{ access_log off;\n{paths}{served}}}\n",
        encoding="utf-8",
    )
    with (folder / "nginx.log").open("wb") as log:
        process = subprocess.Popen(
            ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf")], stdout=log, stderr=log
        )
    try:
        until(lambda: process.poll() is not None or listens(port))
        yield
        assert process.poll() is None, (folder / "nginx.log").read_text()
    finally:
        process.terminate()
        process.wait(timeout=180)


def listens(port: int) -> bool:
    with suppress(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=60).close()
        return True
    return False


def post(port: int, authority: Path, certificate: tuple[Path, Path] | None, **headers: str) -> int:
    """Post through nginx; 0 when TLS itself ended it."""
    context = ssl.create_default_context(cafile=str(authority))
    context.check_hostname = False
    if certificate is not None:
        context.load_cert_chain(*certificate)
    named = FHIR | {name.replace("_", "-"): value for name, value in headers.items()}
    transport = httpx.HTTPTransport(verify=context)
    with httpx.Client(transport=transport, timeout=180) as client:
        return client.post(f"https://127.0.0.1:{port}/fhir", content=SENT, headers=named).status_code


def test_the_client_certificate_decides_and_a_header_of_the_caller_never_does(tmp_path: Path) -> None:
    ours, theirs = Authority(tmp_path, "clients"), Authority(tmp_path, "strangers")
    known, revoked, stranger = ours.issue("his"), ours.issue("old", days=-1), theirs.issue("mallory")
    server = ours.issue("gateway")
    installation = Installation(tmp_path / "data", "--test-identities", "--french-profiles", "declared")
    (installation.data_dir / "clients.toml").write_text(
        f'[certificate.his]\nfiness = "{FINESS}"\nsource = "his"\nscopes = ["write"]\n'
        f'fingerprints = ["{fingerprint(known[0])}", "{fingerprint(revoked[0])}"]\n'
    )
    with (installation.data_dir / "gateway.toml").open("a") as settings:
        settings.write('\ntrusted_proxies = ["127.0.0.1"]\n')
    (tmp_path / "nginx").mkdir()
    port = free_port()
    forged = known[0].read_text().replace("\n", "%0A").replace(" ", "%20").replace("+", "%2B")

    with (
        installation.serving(),
        nginx(tmp_path / "nginx", port=port, upstream=installation.port, certificate=server, clients=ours.file),
    ):
        bearer = {"Authorization": f"Bearer {installation.key()}"}
        answers = {
            "known": post(port, ours.file, known),
            "without": post(port, ours.file, None),
            "a header without a certificate": post(port, ours.file, None, X_Client_Certificate=forged),
            "another's header over our certificate": post(port, ours.file, known, X_Client_Certificate="nonsense"),
            "of another authority": post(port, ours.file, stranger),
            "expired": post(port, ours.file, revoked),
            "a certificate of ours that nobody registered": post(port, ours.file, ours.issue("nobody")),
            "a key through the proxy": post(port, ours.file, None, **bearer),
        }

    assert answers == {
        "known": 200,
        "without": 401,
        "a header without a certificate": 401,
        "another's header over our certificate": 200,
        "of another authority": 400,  # nginx itself
        "expired": 400,
        "a certificate of ours that nobody registered": 401,
        "a key through the proxy": 200,
    }
