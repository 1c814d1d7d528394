"""`POST /auth/token` and the SMART configuration: OAuth's own forms, since OAuth's clients ask."""

from __future__ import annotations

import sqlite3
from urllib.parse import parse_qs

import orjson

from fhir_profiles.errors import NotFound, Refused, Unavailable
from fhir_profiles.issues import issue
from gateway.auth import caller_of
from gateway.body import Form, read_body
from gateway.exchange import Exchange
from gateway.outcomes import Answer
from gateway.tokens import ALGORITHMS, ASSERTION, TOKEN_LIFE_S, InvalidAssertion, granted_scopes, verified_client
from gateway.worker import Worker

PATH = "/auth/token"
LONGEST_FORM = 32 * 1024
FORM = "application/x-www-form-urlencoded"
JSON = "application/json"


async def token(exchange: Exchange, worker: Worker) -> Answer:
    """Answer a signed assertion with an access token."""
    if not worker.house.access.clients.by_id:
        raise NotFound(issue("route-unknown"))
    form = await _form(exchange, worker)
    if form.get("grant_type") != "client_credentials":
        return _error("unsupported_grant_type")
    if form.get("client_assertion_type") != ASSERTION or "client_assertion" not in form:
        return _error("invalid_request")
    try:
        client = verified_client(
            form["client_assertion"],
            worker.house.access.clients,
            audience=worker.settings.base_url + PATH,
            spend=worker.spent.spend,
        )
    except InvalidAssertion:
        worker.unknown_caller()
        return _error("invalid_client", status=401)
    except sqlite3.Error:
        raise Unavailable("unavailable") from None
    scopes, kept = granted_scopes(form.get("scope", ""), client)
    exchange.caller = caller_of(client.grant, worker.house.access.hospitals)
    if not scopes:
        return _error("invalid_scope")
    made = {
        "access_token": worker.tokens.make(client, scopes),
        "token_type": "bearer",
        "expires_in": TOKEN_LIFE_S,
        "scope": kept,
    }
    return Answer(200, orjson.dumps(made), {"Content-Type": JSON, "Pragma": "no-cache"})


async def smart_configuration(exchange: Exchange, worker: Worker) -> Answer:
    """Say where tokens are and how to ask for one."""
    del exchange
    if not worker.house.access.clients.by_id:
        raise NotFound(issue("route-unknown"))
    said = {
        "token_endpoint": worker.settings.base_url + PATH,
        "grant_types_supported": ["client_credentials"],
        "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        "token_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS),
        "scopes_supported": ["system/*.cud"],
        "capabilities": ["client-confidential-asymmetric", "permission-v2"],
    }
    return Answer(200, orjson.dumps(said), {"Content-Type": JSON})


async def _form(exchange: Exchange, worker: Worker) -> dict[str, str]:
    """Read the form; what is none is empty."""
    if exchange.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        return {}
    try:
        content = await read_body(
            exchange.chunks,
            Form(gzip=False, length=None),
            limit=LONGEST_FORM,
            timeout_s=worker.settings.body_timeout_s,
            hold=lambda _: None,
        )
        exchange.body_read = True
        fields = parse_qs(content.decode("ascii"), max_num_fields=20, strict_parsing=True)
    except (Refused, ValueError):
        return {}
    return {name: values[0] for name, values in fields.items() if len(values) == 1}


def _error(code: str, *, status: int = 400) -> Answer:
    return Answer(status, orjson.dumps({"error": code}), {"Content-Type": JSON}, (code,))
