"""The client certificate that a trusted TLS proxy passes in a header → its SHA-256. From anybody else: nothing.

The proxy checks the chain and the possession of the key; which certificate belongs to whom is ours (clients.toml).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import unquote

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from gateway.setting_kinds import Network

LONGEST_PEM = 16 * 1024


def fingerprint_of(
    headers: Mapping[str, str], client: str, *, proxies: Sequence[Network], header: str, now: datetime | None = None
) -> str | None:
    """Return the fingerprint of the certificate of a request; None without one that is valid now."""
    written = headers.get(header, "") if header and _is_trusted(client, proxies) else ""
    if not written or len(written) > 3 * LONGEST_PEM:
        return None
    try:
        certificate = x509.load_pem_x509_certificate(unquote(written).encode("ascii"))
    except ValueError:
        return None
    moment = now or datetime.now(UTC)
    if not certificate.not_valid_before_utc <= moment <= certificate.not_valid_after_utc:
        return None
    return certificate.fingerprint(SHA256()).hex()


def _is_trusted(client: str, proxies: Sequence[Network]) -> bool:
    try:
        address = ipaddress.ip_address(client)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return any((mapped or address) in network for network in proxies)
