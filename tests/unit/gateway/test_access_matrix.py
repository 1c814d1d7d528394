"""Who may do what: API keys, signed assertions, access tokens, client certificates. No wrong accept in any case."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import httpx
import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from fhir_profiles.errors import Misconfigured
from gateway.audit import audit_digest
from gateway.audit_check import read_chains
from gateway.clients import load_clients
from tests.support.installation import ANSWER_WITHIN_S, FINESS, Installation, snds_gateway
from tests.support.posted import bundle, patient, put
from transformers.deidentify.keys import read_key

pytestmark = pytest.mark.slow

OTHER = "690781810"
AUDIENCE = "https://gateway.example/auth/token"
TRUSTED, STRANGER = "127.0.0.2", "127.0.0.3"
CLIENT_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
Claims = dict[str, Any]

RSA_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP384R1())
FOREIGN_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def jwk(key: Any, kid: str) -> Claims:
    algorithm = (
        jwt.algorithms.ECAlgorithm if isinstance(key, ec.EllipticCurvePrivateKey) else jwt.algorithms.RSAAlgorithm
    )
    return json.loads(algorithm.to_jwk(key.public_key())) | {"kid": kid}


def certificate(name: str, *, days: tuple[int, int] = (-1, 30)) -> str:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(EC_KEY.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .sign(EC_KEY, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM).decode()


CERTIFICATE, EXPIRED, UNKNOWN = certificate("his"), certificate("old", days=(-30, -1)), certificate("nobody")


def fingerprint(pem: str) -> str:
    return x509.load_pem_x509_certificate(pem.encode()).fingerprint(hashes.SHA256()).hex()


CLIENTS = f"""
[client.ehr]
finess = "{FINESS}"
scopes = ["write", "validate"]
jwks = "jwks/ehr.json"

[client.checker]
finess = "{FINESS}"
source = "lab"
scopes = ["validate"]
jwks = "jwks/checker.json"

[client.other]
finess = "{OTHER}"
scopes = ["write"]
jwks = "jwks/other.json"

[certificate.his]
finess = "{FINESS}"
source = "his"
scopes = ["write"]
fingerprints = ["{fingerprint(CERTIFICATE)}", "{fingerprint(EXPIRED)}"]
"""


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """Two hospitals, three SMART clients, one certificate, one trusted proxy address."""
    home = tmp_path_factory.mktemp("guarded") / "data"
    installation = Installation(home, "--test-identities", "--french-profiles", "declared")
    declared = ("--french-profiles", "declared")
    snds_gateway("hospital", "add", "--data-dir", str(home), "--finess", OTHER, *declared)
    snds_gateway(
        "hospital", "add", "--data-dir", str(home), "--finess", FINESS, "--source", "checks", "--scopes", "validate"
    )
    (home / "jwks").mkdir()
    for name, keys in {
        "ehr": [jwk(RSA_KEY, "rsa-1"), jwk(EC_KEY, "ec-1")],
        "checker": [jwk(EC_KEY, "ec-1")],
        "other": [jwk(FOREIGN_KEY, "rsa-1")],
    }.items():
        (home / "jwks" / f"{name}.json").write_text(json.dumps({"keys": keys}))
    (home / "clients.toml").write_text(CLIENTS)
    with (home / "gateway.toml").open("a") as settings:
        settings.write(f'\npublic_url = "https://gateway.example"\ntrusted_proxies = ["{TRUSTED}"]\n')
    with installation.serving():
        yield installation


def claims(**changes: Any) -> Claims:
    """Good claims, changed; a change to None removes the claim."""
    now = int(time.time())
    good = {"iss": "ehr", "sub": "ehr", "aud": AUDIENCE, "exp": now + 200, "iat": now, "jti": base64.b16encode(
        hashlib.sha256(str(time.perf_counter_ns()).encode()).digest()).decode()}  # fmt: skip
    return {name: value for name, value in (good | changes).items() if value is not None}


def signed(key: Any = RSA_KEY, algorithm: str = "RS384", kid: str | None = "rsa-1", **changes: Any) -> str:
    extra = changes.pop("header", {})
    return jwt.encode(claims(**changes), key, algorithm, headers={"kid": kid, **extra} if kid else extra)


def crafted(header: Claims, signature: Callable[[bytes], bytes]) -> str:
    """A token that no library would make."""
    parts = [base64.urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=") for one in (header, claims())]
    body = b".".join(parts)
    return (body + b"." + base64.urlsafe_b64encode(signature(body)).rstrip(b"=")).decode()


def public_pem(key: Any) -> bytes:
    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def hs(body: bytes) -> bytes:
    return hmac.digest(public_pem(RSA_KEY), body, "sha384")


def exchange(guarded: Installation, assertion: str, **changes: str) -> httpx.Response:
    form = {
        "grant_type": "client_credentials",
        "client_assertion_type": CLIENT_ASSERTION,
        "client_assertion": assertion,
        "scope": "system/*.cud",
    }
    return httpx.post(f"{guarded.url}/auth/token", data=form | changes, timeout=ANSWER_WITHIN_S)


def now() -> int:
    return int(time.time())


GOOD: dict[str, Callable[[], str]] = {
    "RS384": lambda: signed(),
    "ES384": lambda: signed(EC_KEY, "ES384", "ec-1"),
    "expired half a minute ago, within the skew": lambda: signed(exp=now() - 30),
    "issued half a minute ahead, within the skew": lambda: signed(iat=now() + 30),
    "five minutes of life": lambda: signed(exp=now() + 300),
    "several audiences, ours among them": lambda: signed(aud=["https://x.example", AUDIENCE]),
    "no iat": lambda: signed(iat=None),
    "a jku that nobody follows": lambda: signed(header={"jku": "https://attacker.example/jwks.json"}),
}
BAD: dict[str, Callable[[], str]] = {
    "empty": lambda: "",
    "a word": lambda: "nonsense",
    "three dots": lambda: "...",
    "not base64": lambda: "é.è.à",
    "five parts": lambda: "a.b.c.d.e",
    "a megabyte": lambda: "a" * 1_000_000,
    "alg none": lambda: crafted({"alg": "none", "kid": "rsa-1"}, lambda _: b""),
    "alg None in capitals": lambda: crafted({"alg": "NONE", "kid": "rsa-1"}, lambda _: b""),
    "alg missing": lambda: crafted({"kid": "rsa-1"}, lambda _: b"x"),
    "alg a number": lambda: crafted({"alg": 7, "kid": "rsa-1"}, lambda _: b"x"),
    "HS384 with our public key as secret": lambda: crafted({"alg": "HS384", "kid": "rsa-1"}, hs),
    "HS384 said to be RS384": lambda: crafted({"alg": "RS384", "kid": "rsa-1"}, hs),
    "RS256 with the right key": lambda: signed(algorithm="RS256"),
    "RS512 with the right key": lambda: signed(algorithm="RS512"),
    "PS384 with the right key": lambda: signed(algorithm="PS384"),
    "the algorithm of another key": lambda: signed(EC_KEY, "ES384", "rsa-1"),
    "another key": lambda: signed(FOREIGN_KEY),
    "another client's key under our name": lambda: signed(FOREIGN_KEY, iss="ehr", sub="ehr"),
    "an embedded key": lambda: signed(FOREIGN_KEY, header={"jwk": jwk(FOREIGN_KEY, "rsa-1")}),
    "a jku of the attacker's": lambda: signed(FOREIGN_KEY, header={"jku": "https://attacker.example/jwks.json"}),
    "a kid nobody has": lambda: signed(kid="rsa-9"),
    "no kid": lambda: signed(kid=None),
    "a kid that is a path": lambda: signed(kid="../../keys/ledger.key"),
    "a critical header nobody knows": lambda: signed(header={"crit": ["exp2"], "exp2": 1}),
    "expired": lambda: signed(exp=now() - 90),
    "too long a life": lambda: signed(exp=now() + 600),
    "a year of life": lambda: signed(exp=now() + 31_000_000),
    "no exp": lambda: signed(exp=None),
    "exp a word": lambda: crafted_claims(exp="tomorrow"),
    "exp infinite": lambda: crafted_claims(exp=1e300),
    "not valid yet": lambda: signed(nbf=now() + 200),
    "issued in the future": lambda: signed(iat=now() + 200),
    "the audience of another server": lambda: signed(aud="https://other.example/auth/token"),
    "the audience without a path": lambda: signed(aud="https://gateway.example"),
    "the audience over http": lambda: signed(aud="http://gateway.example/auth/token"),
    "no audience": lambda: signed(aud=None),
    "an issuer nobody knows": lambda: signed(iss="nobody", sub="nobody"),
    "no issuer": lambda: signed(iss=None),
    "an issuer that is a list": lambda: crafted_claims(iss=["ehr"]),
    "another subject": lambda: signed(sub="other"),
    "no subject": lambda: signed(sub=None),
    "no jti": lambda: signed(jti=None),
    "an empty jti": lambda: signed(jti=""),
    "a jti too long": lambda: signed(jti="x" * 257),
    "a jti that is a number": lambda: crafted_claims(jti=7),
    "the other hospital's client, our issuer": lambda: signed(FOREIGN_KEY, iss="ehr", sub="other"),
    "a payload changed after signing": lambda: tampered(1),
    "a header changed after signing": lambda: tampered(0),
    "a signature cut": lambda: signed()[:-8],
    "no signature": lambda: signed().rpartition(".")[0] + ".",
    "a payload that is a list": lambda: jwt.PyJWS().encode(b"[]", RSA_KEY, "RS384", headers={"kid": "rsa-1"}),
    "a payload that is no JSON": lambda: jwt.PyJWS().encode(b"{", RSA_KEY, "RS384", headers={"kid": "rsa-1"}),
    "a payload without end": lambda: jwt.PyJWS().encode(b"[" * 9000, RSA_KEY, "RS384", headers={"kid": "rsa-1"}),
}


def crafted_claims(**changes: Any) -> str:
    content = json.dumps(claims() | changes).encode()
    return jwt.PyJWS().encode(content, RSA_KEY, "RS384", headers={"kid": "rsa-1"})


def tampered(part: int) -> str:
    parts = signed().split(".")
    content = json.loads(base64.urlsafe_b64decode(parts[part] + "=="))
    content |= {"scope": "everything"}
    parts[part] = base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()
    return ".".join(parts)


@pytest.mark.parametrize("name", GOOD)
def test_a_good_assertion_gives_a_token_that_opens(guarded: Installation, name: str) -> None:
    answer = exchange(guarded, GOOD[name]())

    assert answer.status_code == 200, answer.text
    assert answer.json()["token_type"] == "bearer"
    assert 0 < answer.json()["expires_in"] <= 300
    assert answer.headers["Cache-Control"] == "no-store"
    assert posted(guarded, f"Bearer {answer.json()['access_token']}") == 200


@pytest.mark.parametrize("name", BAD)
def test_a_bad_assertion_gives_nothing(guarded: Installation, name: str) -> None:
    answer = exchange(guarded, BAD[name]())

    assert answer.status_code in (400, 401)
    assert answer.json() in (
        {"error": "invalid_client"},
        {"error": "invalid_request"},
        {"error": "unsupported_grant_type"},
    )
    if len(BAD[name]()) in range(10, 30_000):
        assert (answer.status_code, answer.json()) == (401, {"error": "invalid_client"})


def test_an_assertion_serves_once_in_all_workers(guarded: Installation) -> None:
    assertion = signed()

    statuses = [exchange(guarded, assertion).status_code for _ in range(8)]

    assert statuses == [200] + [401] * 7
    lab = signed(EC_KEY, "ES384", "ec-1", iss="checker", sub="checker", jti="same")
    assert exchange(guarded, lab).status_code == 200
    assert exchange(guarded, signed(jti="same")).status_code == 200


FORMS: dict[str, tuple[dict[str, str], str]] = {
    "another grant": ({"grant_type": "password"}, "unsupported_grant_type"),
    "no grant": ({"grant_type": ""}, "unsupported_grant_type"),
    "another kind of assertion": ({"client_assertion_type": "urn:x"}, "invalid_request"),
    "no scope": ({"scope": ""}, "invalid_scope"),
    "a scope nobody knows": ({"scope": "admin"}, "invalid_scope"),
    "reading": ({"scope": "system/*.rs"}, "invalid_scope"),
    "patients' scopes": ({"scope": "patient/*.cud user/*.cud"}, "invalid_scope"),
    "rights that were not given": ({"scope": "rights operate"}, "invalid_scope"),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_wrong_form_is_told_in_the_words_of_oauth(guarded: Installation, name: str) -> None:
    changes, error = FORMS[name]

    answer = exchange(guarded, signed(), **changes)

    assert (answer.status_code, answer.json()) == (400, {"error": error})


def test_what_is_no_form_is_refused(guarded: Installation) -> None:
    url = f"{guarded.url}/auth/token"
    double = urlencode([("grant_type", "client_credentials"), ("client_assertion_type", CLIENT_ASSERTION),
                        ("client_assertion", signed()), ("client_assertion", signed())])  # fmt: skip
    answers = [
        httpx.post(url, json={"grant_type": "client_credentials"}, timeout=ANSWER_WITHIN_S),
        httpx.post(
            url,
            content=b"\xff" * 100,
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            timeout=ANSWER_WITHIN_S,
        ),
        httpx.post(
            url,
            content=b"a=b&" * 1000,
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            timeout=ANSWER_WITHIN_S,
        ),
        httpx.post(
            url, content=double, headers={"Content-Type": "application/x-www-form-urlencoded"}, timeout=ANSWER_WITHIN_S
        ),
    ]

    assert {one.status_code for one in answers} == {400}


def test_a_client_gets_no_more_than_it_was_given(guarded: Installation) -> None:
    answer = exchange(guarded, signed(EC_KEY, "ES384", "ec-1", iss="checker", sub="checker"))
    token = f"Bearer {answer.json()['access_token']}"

    assert posted(guarded, token) == 403
    assert posted(guarded, token, "/fhir/$validate") == 200


def posted(guarded: Installation, authorization: str | None, path: str = "/fhir", **headers: str) -> int:
    sent = bundle("transaction", put(patient("matrix"), fullUrl="https://his.example/fhir/Patient/matrix"))
    named = {"Content-Type": "application/fhir+json", **{name.replace("_", "-"): one for name, one in headers.items()}}
    if authorization is not None:
        named["Authorization"] = authorization
    return httpx.post(
        f"{guarded.url}{path}", content=json.dumps(sent), headers=named, timeout=ANSWER_WITHIN_S
    ).status_code


def test_a_changed_or_foreign_token_opens_nothing(guarded: Installation) -> None:
    token = exchange(guarded, signed()).json()["access_token"]
    body, _, mac = token.removeprefix("sgt_").partition(".")
    more = base64.urlsafe_b64encode(json.dumps({"c": "ehr", "s": ["operate"], "e": now() + 999}).encode()).decode()

    for wrong in (
        token[:-1], token + "x", f"sgt_{body}.{'A' * 43}", f"sgt_{more.rstrip('=')}.{mac}", "sgt_.", f"sgt_{body}",
        token.upper(), token.replace("sgt_", "sgk_"),
    ):  # fmt: skip
        assert posted(guarded, f"Bearer {wrong}") == 401
    assert posted(guarded, f"Bearer {token}") == 200


def test_scopes_part_what_keys_may_do(guarded: Installation) -> None:
    every, checks, other = (guarded.key(name) for name in (FINESS, f"{FINESS}-checks", OTHER))

    assert [posted(guarded, f"Bearer {key}") for key in (every, checks, other)] == [200, 403, 200]
    assert [posted(guarded, f"Bearer {key}", "/fhir/$validate") for key in (every, checks, other)] == [200] * 3


def test_one_hospital_sends_nothing_in_the_name_of_another(guarded: Installation) -> None:
    finess = {"system": "https://finess.esante.gouv.fr", "value": OTHER}
    stay = {
        "resourceType": "Encounter", "id": "e", "status": "finished", "subject": {"reference": "Patient/matrix"},
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
        "serviceProvider": {"identifier": finess},
    }  # fmt: skip
    sent = json.dumps(bundle("transaction", put(stay, fullUrl="https://his.example/fhir/Encounter/e"))).encode()
    headers = {"Content-Type": "application/fhir+json"}

    answers = [
        httpx.post(
            f"{guarded.url}/fhir",
            content=sent,
            headers=headers | {"Authorization": f"Bearer {key}"},
            timeout=ANSWER_WITHIN_S,
        ).status_code
        for key in (guarded.key(), guarded.key(OTHER))
    ]

    assert answers == [403, 200]


def from_address(guarded: Installation, address: str, **headers: str) -> int:
    """Post from another loopback address."""
    sent = bundle("transaction", put(patient("mtls"), fullUrl="https://his.example/fhir/Patient/mtls"))
    with httpx.Client(transport=httpx.HTTPTransport(local_address=address), timeout=ANSWER_WITHIN_S) as client:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return client.post(
            f"{guarded.url}/fhir", content=json.dumps(sent), headers={"Content-Type": "application/fhir+json"} | named
        ).status_code


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        (TRUSTED, {"X_Client_Certificate": quote(CERTIFICATE)}, 200),
        (STRANGER, {"X_Client_Certificate": quote(CERTIFICATE)}, 401),
        ("127.0.0.1", {"X_Client_Certificate": quote(CERTIFICATE)}, 401),
        ("127.0.0.1", {"X_Client_Certificate": quote(CERTIFICATE), "X_Forwarded_For": TRUSTED}, 401),
        ("127.0.0.1", {"X_Client_Certificate": quote(CERTIFICATE), "X_Real_IP": TRUSTED}, 401),
        (TRUSTED, {}, 401),
        (TRUSTED, {"X_Client_Certificate": ""}, 401),
        (TRUSTED, {"X_Client_Certificate": "nonsense"}, 401),
        (TRUSTED, {"X_Client_Certificate": quote(EXPIRED)}, 401),
        (TRUSTED, {"X_Client_Certificate": quote(UNKNOWN)}, 401),
        (TRUSTED, {"X_Client_Certificate": quote(CERTIFICATE)[:-60]}, 401),
        (TRUSTED, {"X_Client_Certificate": fingerprint(CERTIFICATE)}, 401),
        (TRUSTED, {"X_SSL_Client_Cert": quote(CERTIFICATE)}, 401),
        (TRUSTED, {"X_Client_Certificate": quote(CERTIFICATE), "Authorization": "Bearer nonsense"}, 401),
    ],
)
def test_a_certificate_counts_only_from_a_trusted_proxy(
    guarded: Installation, address: str, headers: dict[str, str], status: int
) -> None:
    assert from_address(guarded, address, **headers) == status


def test_the_smart_configuration_says_where_tokens_are(guarded: Installation) -> None:
    said = httpx.get(f"{guarded.url}/fhir/.well-known/smart-configuration", timeout=ANSWER_WITHIN_S).json()

    assert said["token_endpoint"] == AUDIENCE
    assert said["token_endpoint_auth_signing_alg_values_supported"] == ["RS384", "ES384"]
    assert "client-confidential-asymmetric" in said["capabilities"]


def test_the_audit_says_which_credential_opened_and_no_secret_stands_anywhere(guarded: Installation) -> None:
    token = exchange(guarded, signed()).json()["access_token"]
    assert posted(guarded, f"Bearer {token}") == 200
    assert from_address(guarded, TRUSTED, X_Client_Certificate=quote(CERTIFICATE)) == 200
    assert posted(guarded, f"Bearer {guarded.key()}") == 200

    digest = audit_digest(read_key(guarded.data_dir / "keys" / "ledger.key"))
    chains = list(read_chains(guarded.data_dir, digest))
    opened = {entry["credential"] for chain in chains for entry in chain.entries if "credential" in entry}

    assert [chain.problem for chain in chains if chain.problem] == []
    assert {"ehr", "his", guarded.key().split("_")[1]} <= opened
    for secret in (token, guarded.key()):
        assert [str(path) for path, content in guarded.every_byte() if secret.encode() in content] == []


def test_there_are_at_least_forty_cases() -> None:
    assert len(GOOD) + len(BAD) + len(FORMS) >= 40


WEAK = rsa.generate_private_key(public_exponent=65537, key_size=1024)
P256 = ec.generate_private_key(ec.SECP256R1())
PRIVATE = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(RSA_KEY)) | {"kid": "a"}
ENTRY = f'[client.a]\nfiness = "{FINESS}"\nscopes = ["write"]\njwks = "jwks/a.json"\n'
CERTIFIED = f'[certificate.b]\nfiness = "{FINESS}"\nscopes = ["write"]\nfingerprints = ["{{}}"]\n'
WRONG_FILES: dict[str, tuple[str, list[Claims]]] = {
    "a scope nobody knows": (ENTRY.replace("write", "everything"), [jwk(RSA_KEY, "a")]),
    "a hospital without contract": (ENTRY.replace(FINESS, OTHER), [jwk(RSA_KEY, "a")]),
    "no FINESS": (ENTRY.replace(FINESS, "7507"), [jwk(RSA_KEY, "a")]),
    "a name nobody knows": (ENTRY + "colour = 1\n", [jwk(RSA_KEY, "a")]),
    "no key": (ENTRY, []),
    "a short key": (ENTRY, [jwk(WEAK, "a")]),
    "another curve": (ENTRY, [jwk(P256, "a")]),
    "a private key": (ENTRY, [PRIVATE]),
    "a secret": (ENTRY, [{"kty": "oct", "k": "AAAA", "kid": "a"}]),
    "another algorithm": (ENTRY, [jwk(RSA_KEY, "a") | {"alg": "RS256"}]),
    "an encryption key": (ENTRY, [jwk(RSA_KEY, "a") | {"use": "enc"}]),
    "a kid twice": (ENTRY, [jwk(RSA_KEY, "a"), jwk(EC_KEY, "a")]),
    "an empty key": (ENTRY, [{"kid": "a"}]),
    "a fingerprint too short": (CERTIFIED.format("12"), [jwk(RSA_KEY, "a")]),
    "a fingerprint twice": (
        CERTIFIED.format("a" * 64) + CERTIFIED.format("a" * 64).replace("certificate.b", "certificate.c"),
        [jwk(RSA_KEY, "a")],
    ),
    "a table nobody knows": ("[nonsense]\n", [jwk(RSA_KEY, "a")]),
}


@pytest.mark.parametrize("name", WRONG_FILES)
def test_a_wrong_clients_file_is_refused_by_its_name(tmp_path: Path, name: str) -> None:
    toml, keys = WRONG_FILES[name]
    (tmp_path / "jwks").mkdir()
    (tmp_path / "clients.toml").write_text(toml)
    (tmp_path / "jwks" / "a.json").write_text(json.dumps({"keys": keys}))

    with pytest.raises(Misconfigured) as caught:
        load_clients(tmp_path, {FINESS: None})

    assert "clients.toml" in str(caught.value)


def test_serve_does_not_start_on_a_wrong_clients_file(tmp_path: Path) -> None:
    installation = Installation(tmp_path / "data")
    (installation.data_dir / "clients.toml").write_text("[nonsense]\n")

    done = snds_gateway("serve", "--data-dir", str(installation.data_dir), "--port", "1", check=False)

    assert done.returncode == 78
    assert "clients.toml" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
