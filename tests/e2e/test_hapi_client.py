"""A hospital's system written with HAPI FHIR's client (Java): it sends, is refused, validates, reads what we can do."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.installation import FINESS, Installation

PROJECT = Path(__file__).resolve().parents[2]
LIBRARY = PROJECT / ".hapi" / "lib"
PROGRAM = PROJECT / "tests" / "support" / "hapi" / "Hospital.java"
AUDIENCE = "https://gateway.example/auth/token"
CLIENT = f"""
[client.ehr]
finess = "{FINESS}"
scopes = ["write", "validate"]
jwks = "jwks/ehr.json"
"""


def missing() -> str | None:
    """Say in one line what is missing to run the client, or None."""
    if shutil.which("javac") is None:
        return "no Java compiler: apt-get install openjdk-17-jdk-headless"
    if not list(LIBRARY.glob("hapi-fhir-client-*.jar")):
        return "no HAPI client: make test-servers"
    return None


pytestmark = [pytest.mark.slow, pytest.mark.skipif(missing() is not None, reason=missing() or "")]


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the program tells of each of its steps, by the name of the step."""
    folder = tmp_path_factory.mktemp("hapi")
    installation = Installation(folder / "data", "--test-identities", "--french-profiles", "declared")
    private = ec.generate_private_key(ec.SECP384R1())
    (folder / "private.der").write_bytes(
        private.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(private.public_key())) | {"kid": "2026-01"}
    (installation.data_dir / "jwks").mkdir()
    (installation.data_dir / "jwks" / "ehr.json").write_text(json.dumps({"keys": [public]}))
    (installation.data_dir / "clients.toml").write_text(CLIENT)
    with (installation.data_dir / "gateway.toml").open("a") as settings:
        settings.write('\npublic_url = "https://gateway.example"\n')
    key = installation.data_dir / "credentials" / f"{FINESS}.key"
    with installation.serving():
        done = subprocess.run(
            ["java", "-XX:TieredStopAtLevel=1", "-cp", f"{LIBRARY}/*", str(PROGRAM),
             installation.url, str(key), AUDIENCE, str(folder / "private.der"), "2026-01"],
            capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        accounts = installation.wait_idle()
    steps = dict(line.split("\t") for line in done.stdout.splitlines())
    return steps | {"published": str(accounts["published"])}


@pytest.mark.parametrize(
    ("step", "told"),
    [
        ("capabilities", "4.0.1 batch transaction"),
        ("transaction", "transaction-response 202 Accepted, 202 Accepted"),
        ("refused", "422 error:invariant"),
        ("update", "202 information:ok"),
        ("delete", "202 information:ok"),
        ("validate-good", "information:ok"),
        ("validate-wrong", "error:invariant"),
        ("validate-bundle", "information:ok"),
        ("read", "405 fatal:route-method"),
        ("stranger", "401 fatal:unauthenticated"),
        ("xml", "415 fatal:media-type-xml"),
        ("smart", "transaction-response 202 Accepted, 202 Accepted"),
        ("published", "6"),
    ],
)
def test_the_client_makes_of_each_answer_what_it_means(said: dict[str, str], step: str, told: str) -> None:
    assert said[step] == told
