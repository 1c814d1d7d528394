"""Canaries in every place of every type, sent right and sent wrong: none comes out, in any form, anywhere (P13).

Searched: answers and headers, the log at DEBUG, metrics, audit, events, dead letters, tables, lake, every file of the
installation and of its temporary folder, files that its processes hold open, their arguments and environment, what
commands print. The positive control is the same search on a build whose scrubbing is off. The files of Kafka and
PostgreSQL hold what the embedded log and tables hold: the same events, the same rows.
"""

from __future__ import annotations

import asyncio
import copy
import random
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from fhir_profiles.issues import catalogue
from fhir_profiles.validator import Validator
from streaming.accounts import Counts
from streaming.embedded_log import EmbeddedLog
from streaming.event import event_of
from tests.support.canary import SPELLED, Tokens, exact_forms, folded_forms, found_in, tokens_in
from tests.support.canary_bodies import laden_stays, spoiled, whole_types
from tests.support.canary_faults import JUDGED, LIMITED, UNREACHABLE, Attempt, Faults
from tests.support.canary_installation import CanaryInstallation, codes, said, unquoted
from tests.support.canary_requests import attempts
from tests.support.made_profiles import MADE
from tests.support.raw_http import request, send
from tests.support.scrubbed import KEYS, scrubbed
from transformers.contract import Contract
from transformers.deidentify.rules import load_rules

pytestmark = pytest.mark.slow

MUTATIONS = 500
TEST_BUILD = (sys.executable, "-m", "tests.support.unscrubbed")
STRANGER = Contract(finess="130786049", test=True)  # a hospital that the installation does not know
RULES = load_rules()
PSEUDONYM = re.compile(rb'"value":"([A-Za-z0-9_-]{22})"')
Json = dict[str, Any]


class Sent:
    """What was posted, by whom, and what was answered."""

    def __init__(self, installation: CanaryInstallation) -> None:
        self.callers = installation.callers()
        self.port = installation.port
        self.answers: list[httpx.Response] = []

    def post(self, content: bytes, path: str = "/fhir") -> httpx.Response:
        return self.attempt(Attempt("", content, path))

    def attempt(self, one: Attempt) -> httpx.Response:
        client = self.callers[one.caller]
        self.answers.append(client.request(one.method, one.path, content=one.body, headers=one.headers))
        return self.answers[-1]


def test_no_token_comes_out_in_any_form_anywhere(tmp_path: Path) -> None:
    token = Tokens()
    stays = list(laden_stays(token))
    whole = list(whole_types(Validator.load(), RULES.elements, iter(sorted(RULES.types)), token))
    installation = CanaryInstallation(tmp_path)
    asyncio.run(bury(installation, stays[0]))

    with installation.serving():
        sent = Sent(installation)
        accepted = [sent.post(orjson.dumps(bundle)) for bundle in (*stays, *whole)]
        harm(sent, [*stays, *whole], token)
        told = attempted(sent, token)
        raw = by_hand(installation.port, token)
        rights = objection(sent, token)
        accounts = installation.wait_idle()
        outputs = installation.processes() | installation.tables()
    outputs |= commands(installation, tmp_path, stays[1], token)
    outputs |= {f"answer {number}": said(one) for number, one in enumerate(sent.answers)}
    outputs |= raw | installation.files()

    assert_sent_right(accepted, accounts, rights, installation)
    assert [one.status_code for one in sent.answers if one.status_code >= 500] == []
    assert [code for code, found in told.items() if code and code not in found] == []
    seen = set().union(*map(codes, sent.answers), JUDGED, raw.keys())
    assert sorted(catalogue().keys() - seen) == sorted(UNREACHABLE)
    assert len(token.made) > 40_000
    assert len([name for name in outputs if name.startswith("cmdline")]) >= 3  # supervisor, workers
    assert found_in(outputs) == []
    # no artefact holds both an identity and its pseudonym (P17): those that hold pseudonyms were among those searched
    pseudonyms = PSEUDONYM.findall(outputs["events tail --format json"])
    holders = {
        name.rpartition("/")[2] for name, content in outputs.items() if any(one in content for one in pseudonyms)
    }
    assert len(set(pseudonyms)) > 100
    assert "events tail --format json" in holders
    assert any(name.startswith("ops.sqlite") for name in holders)


def test_without_scrubbing_the_same_search_finds_what_was_sent(tmp_path: Path) -> None:
    """The positive control: the real command line, whose rules let everything through."""
    token = Tokens()
    bundles = list(laden_stays(token))
    bundles += whole_types(Validator.load(), RULES.elements, iter(sorted(RULES.types)), token)
    resources = [entry["resource"] for bundle in bundles for entry in bundle["entry"]]
    planted = tokens_in(orjson.dumps(one) for one in resources if one["resourceType"] in RULES.types)
    installation = CanaryInstallation(tmp_path)
    installation.command = TEST_BUILD

    with installation.serving():
        sent = Sent(installation)
        accepted = [sent.post(orjson.dumps(bundle)) for bundle in bundles]
        installation.wait_idle()
    files = installation.files()

    assert {one.status_code for one in accepted} == {200}
    assert len(planted) > 10_000
    for name in ("events.sqlite", "ops.sqlite"):
        held = [content for path, content in files.items() if path.endswith((name, f"{name}-wal"))]
        assert len(planted & tokens_in(held)) >= 0.99 * len(planted), name
    events = installation.run("events", "tail", "--format", "json")
    assert len(planted & tokens_in([events])) >= 0.99 * len(planted)
    assert found_in(files)


@pytest.mark.parametrize("spelled", SPELLED)
def test_the_search_finds_the_mark_in_every_form(spelled: str) -> None:
    assert len({*folded_forms(), *exact_forms()}) > 20
    for written in disguises(spelled):
        assert found_in({"x": b"..." + written + b"..."}), written


def disguises(text: str) -> Iterator[bytes]:
    """How a program could write a text, made with the standard library and not with the search's own functions."""
    import base64
    import html
    import json
    import urllib.parse

    yield text.encode()
    for before in (b"", b"a", b"ab", b"abc"):
        yield base64.b64encode(before + text.encode() + b"xyz")
        yield base64.urlsafe_b64encode(before + text.encode() + b"xyz")
    yield text.encode().hex().encode()
    yield text.encode().hex().upper().encode()
    yield "".join(f"%{one:02X}" for one in text.encode()).encode()
    yield urllib.parse.quote(f"{text} é").encode()
    yield json.dumps(f"é{text}").encode()
    yield html.escape(f"<{text}>").encode()
    for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32"):
        yield text.encode(encoding)


async def bury(installation: CanaryInstallation, stay: Json) -> None:
    """Put events of a hospital without a contract into the log: they become dead letters."""
    log = EmbeddedLog(installation.data_dir / "events.sqlite")
    made = scrubbed(stay, contract=STRANGER, with_keys=KEYS)
    events = [
        event_of(one, ledger=KEYS.ledger, received_at=datetime.now(UTC), definitions_version="x")
        for one in made.bundles
    ]
    await log.publish(events, Counts(STRANGER.finess, received=1, published=1))
    await log.close()


def harm(sent: Sent, bundles: list[Json], token: Tokens) -> None:
    """Post spoiled bundles and resources by every route, with tokens in urls, queries and headers."""
    dice = random.Random(7)
    sources = [entry["resource"] for bundle in bundles for entry in bundle["entry"]]
    for number in range(MUTATIONS):
        one = copy.deepcopy(dice.choice(sources))
        kind = one["resourceType"]
        wrong = spoiled(one, dice, token)
        path = dice.choice(["/fhir", f"/fhir/{kind}", f"/fhir/{kind}/$validate", "/fhir/$de-identify?explain=true"])
        if path == "/fhir":
            asked = {"method": dice.choice(["PUT", "POST", token()]), "url": f"{kind}/{token()}"}
            entries = [{"resource": wrong, "request": asked, "fullUrl": f"https://dpi.example/{kind}/{token()}"}]
            wrong = {"resourceType": "Bundle", "type": dice.choice(["batch", "transaction", "collection"])}
            wrong["entry"] = entries
        body = orjson.dumps(wrong)
        if number % 17 == 0:
            body = body[: dice.randrange(len(body))]
        headers = {"X-Request-Id": token(), "Prefer": f"return={token()}", "Cookie": token(), "User-Agent": token()}
        query = ("&" if "?" in path else "?") + f"{token()}={token()}" if number % 3 == 0 else ""
        method = "PUT" if number % 11 == 0 else "POST"
        sent.attempt(Attempt("", body, path + query, method, headers if number % 5 == 0 else {}))


def attempted(sent: Sent, token: Tokens) -> dict[str, set[str]]:
    """For each code that an attempt must trigger, what was told: asked about and sent."""
    told: defaultdict[str, set[str]] = defaultdict(set)
    for one in attempts(Faults(token)):
        told[one.code] |= codes(sent.attempt(one))
    return told


def by_hand(port: int, token: Tokens) -> dict[str, bytes]:
    """Requests that are no HTTP: the answer by the code that it must hold."""
    cases = {
        "http-malformed": f"POST /fhir HTTP/1.1\r\nHost: x\r\nX {token()}: {token()}\r\n\r\n".encode(),
        "headers-too-large": request("POST", f"/{token()}", X_Long=token() * 20_000),
    }
    found = {}
    for code, written in cases.items():
        reply = send(port, written)
        assert reply.codes == [code]
        found[code] = reply.body + repr(reply.headers).encode()
    return found


def objection(sent: Sent, token: Tokens) -> list[int]:
    """A person objects, is erased, and the receipts are read again."""
    person = orjson.dumps(Faults(token).person())
    statuses = []
    for path in ("/rights/oppositions", "/rights/erasures"):
        begun = sent.post(person, path)
        statuses.append(begun.status_code)
        statuses.append(sent.attempt(Attempt("", path=begun.headers["Location"], method="GET")).status_code)
    statuses.append(sent.attempt(Attempt("", path="/metrics", method="GET")).status_code)
    statuses.append(sent.attempt(Attempt("", person, "/rights/oppositions", caller=LIMITED)).status_code)
    return statuses


def commands(installation: CanaryInstallation, folder: Path, stay: Json, token: Tokens) -> dict[str, bytes]:
    """What commands print, on what is there and on a file full of tokens (outside what is searched afterwards)."""
    posted = folder / "posted.json"
    posted.write_bytes(orjson.dumps(stay))
    judged = folder / "judged.json"
    person = Faults(token).person(
        extension=[{"url": f"http://example.org/{token()}", "valueString": f"<script>{token()}</script>"}]
    )
    judged.write_bytes(orjson.dumps(person))
    judge = ("--judge", "example-urls=error", "--judge", "html-in-strings=error", "--profile", f"{MADE}obscure",
             "--definitions", str(folder / "made.tgz"))  # fmt: skip
    found = {
        "deidentify": plain("deidentify", str(posted), "--explain"),
        "convert": plain("convert", str(posted), "--format", "json"),
        "validate": unquoted(plain("validate", str(judged), *judge, "--format", "json")),
    }
    for one in (("events", "tail", "--format", "json"), ("deadletter", "list"), ("audit", "export")):
        found[" ".join(one)] = installation.run(*one)
    assert all(code.encode() in found["validate"] for code in JUDGED)
    assert b"hospital-unknown" in found["deadletter list"]
    assert len(found["events tail --format json"].splitlines()) > 20
    return found


def plain(command: str, *arguments: str) -> bytes:
    from tests.support.installation import snds_gateway

    done = snds_gateway(command, *arguments, check=False)
    return (done.stdout + done.stderr).encode()


def assert_sent_right(
    accepted: list[httpx.Response], accounts: Json, rights: list[int], installation: CanaryInstallation
) -> None:
    """The line did what it is for: else there would be nothing to search."""
    statuses = [entry["response"]["status"] for one in accepted for entry in one.json()["entry"]]
    assert {one.status_code for one in accepted} == {200}
    assert set(statuses) == {"202 Accepted"}, statuses
    assert accounts["dead_letters"] >= 1
    assert accounts["published"] > 200
    assert accounts["stays"]["written"] >= 2
    assert rights == [201, 200, 201, 200, 200, 403]
    assert list((installation.data_dir / "audit").glob("*.jsonl"))
