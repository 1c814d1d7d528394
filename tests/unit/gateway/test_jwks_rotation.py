"""A SMART client changes its key while the gateway runs: the new one opens, the old one no longer does."""

from __future__ import annotations

import json
import secrets
import time
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.installation import ANSWER_WITHIN_S, FINESS, Installation
from tests.support.serving import until

pytestmark = pytest.mark.slow
BASE = "https://gateway.example"
IN_A_ROW = 20  # answers of both workers, whichever the kernel chooses: one in 500,000 times of one alone


def key_set(**keys: Any) -> str:
    """Write public keys by their ids."""
    public = (
        json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key())) | {"kid": kid} for kid, key in keys.items()
    )
    return json.dumps({"keys": [*public]})


def opens(installation: Installation, key: Any, kid: str) -> bool:
    """Say whether an assertion signed with this key gives a token."""
    moment = int(time.time())
    claims = {"iss": "ehr", "sub": "ehr", "aud": f"{BASE}/auth/token", "exp": moment + 200, "iat": moment}
    assertion = jwt.encode(claims | {"jti": secrets.token_hex(16)}, key, "ES384", headers={"kid": kid})
    answer = httpx.post(
        f"{installation.url}/auth/token",
        data={
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion,
            "scope": "system/*.cud",
        },
        timeout=ANSWER_WITHIN_S,
    )
    assert answer.status_code in (200, 400, 401)
    return answer.status_code == 200


def test_a_key_set_that_changes_is_in_force_without_a_restart(tmp_path: Path) -> None:
    old, new = ec.generate_private_key(ec.SECP384R1()), ec.generate_private_key(ec.SECP384R1())
    installation = Installation(tmp_path / "data", "--test-identities", "--french-profiles", "declared")
    keys = installation.data_dir / "jwks" / "ehr.json"
    keys.parent.mkdir()
    keys.write_text(key_set(old=old))
    client = f'[client.ehr]\nfiness = "{FINESS}"\nscopes = ["write"]\njwks = "jwks/ehr.json"\n'
    (installation.data_dir / "clients.toml").write_text(client)
    with (installation.data_dir / "gateway.toml").open("a") as settings:
        settings.write(f'\npublic_url = "{BASE}"\n')

    def always(key: Any, kid: str, *, good: bool) -> bool:
        return all(opens(installation, key, kid) is good for _ in range(IN_A_ROW))

    with installation.serving():
        assert opens(installation, old, "old")
        assert not opens(installation, new, "new")

        keys.write_text(key_set(old=old, new=new))
        until(lambda: always(new, "new", good=True))
        assert opens(installation, old, "old")

        keys.write_text(key_set(new=new))
        until(lambda: always(old, "old", good=False))
        assert opens(installation, new, "new")

        keys.write_text("{")  # a slip leaves what was in force, and says so
        until(lambda: "contracts-kept" in installation.log.read_text())
        assert opens(installation, new, "new")
        assert not opens(installation, old, "old")
