"""docs/access.md: its examples are read by the code, its scopes and settings are those that exist."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from gateway.clients import load_clients
from gateway.credentials import SCOPES
from gateway.settings import documented
from gateway.tokens import LONGEST_LIFE_S, SKEW_S, TOKEN_LIFE_S

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "access.md").read_text(encoding="utf-8")


def test_the_examples_of_clients_are_clients(tmp_path: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key()
    (tmp_path / "jwks").mkdir()
    keys = {"keys": [json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key)) | {"kid": "2026-01"}]}
    (tmp_path / "jwks" / "ehr.json").write_text(json.dumps(keys))
    (tmp_path / "clients.toml").write_text("\n".join(re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)))

    clients = load_clients(tmp_path, {"750712184": None})

    assert set(clients.by_id) == {"ehr"}
    assert [grant.name for grant in clients.by_fingerprint.values()] == ["his"]


def test_every_scope_and_every_setting_of_load_is_on_the_page() -> None:
    named = ("quota_requests_per_s", "quota_burst", "max_requests", "max_bytes_in_flight", "body_timeout_s")

    assert all(f"`{scope}`" in PAGE for scope in SCOPES)
    assert all(name in documented() and f"`{name}" in PAGE for name in (*named, "trusted_proxies", "public_url"))


def test_the_times_on_the_page_are_those_of_the_code() -> None:
    assert (LONGEST_LIFE_S, TOKEN_LIFE_S, SKEW_S) == (300, 300, 60)
    assert "five minutes" in PAGE
    assert "60 s" in PAGE
