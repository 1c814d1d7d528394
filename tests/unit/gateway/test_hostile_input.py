"""Hostile input over real sockets: a clear 4xx each, an OperationOutcome, never a 500, never an echo, still alive."""

from __future__ import annotations

import gzip
import json
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.installation import Installation
from tests.support.posted import bundle, observation, patient, put
from tests.support.raw_http import WAIT_S, Reply, request, send

pytestmark = pytest.mark.slow

CANARY = "zqhostile7c2wxk"
FHIR = "application/fhir+json"
Json = dict[str, Any]
PROJECT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class Case:
    """Bytes to send ({KEY} stands for the hospital's key) and the statuses that are right."""

    name: str
    sent: bytes
    statuses: tuple[int, ...]
    code: str = ""
    close: bool = False


def posted(name: str, content: bytes, *statuses: int, path: str = "/fhir", method: str = "POST", code: str = "",
           **headers: str) -> Case:  # fmt: skip
    named = {"Authorization": "Bearer {KEY}", "Content_Type": FHIR, **headers}
    return Case(name, request(method, path, content, **named), statuses, code)


def fhir(name: str, resource: Any, *statuses: int, code: str = "", **named: str) -> Case:
    return posted(name, json.dumps(resource).encode(), *(statuses or (422,)), code=code, **named)


def nested(depth: int, opening: str, closing: str) -> bytes:
    return (opening * depth + closing * depth).encode()


def http_cases() -> Iterator[Case]:
    key = "Authorization: Bearer {KEY}\r\nContent-Type: application/fhir+json\r\n"
    line = "POST /fhir HTTP/1.1\r\nHost: x\r\n"
    whole = {
        "garbage": CANARY,
        "an empty line only": "\r\n\r\n",
        "no version": f"POST /{CANARY}\r\n\r\n",
        "HTTP/0.9": "GET /\r\n\r\n",
        "HTTP/3.7": f"POST /fhir HTTP/3.7\r\n{CANARY}: x\r\n\r\n",
        "HTTP/2 preface": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "an HTTP method nobody knows": f"{CANARY.upper()} /fhir HTTP/1.1\r\nHost: x\r\n\r\n",
        "lower case method": "post /fhir HTTP/1.1\r\nHost: x\r\n\r\n",
        "CONNECT": f"CONNECT {CANARY}.example:443 HTTP/1.1\r\nHost: x\r\n\r\n",
        "a space in a header name": f"{line}X {CANARY}: y\r\n\r\n",
        "a header without colon": f"{line}{CANARY}\r\n\r\n",
        "a NUL in a header": f"{line}X: \0{CANARY}\r\n\r\n",
        "a header value with a bare CR": f"{line}X: a\rb{CANARY}\r\n\r\n",
        "a negative length": f"{line}{key}Content-Length: -1\r\n\r\n",
        "a length in hexadecimal": f"{line}{key}Content-Length: 0x10\r\n\r\n",
        "two lengths": f"{line}{key}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{{}}",
        "a length beyond 64 bits": f"{line}{key}Content-Length: 99999999999999999999999\r\n\r\n",
        "length and chunks": f"{line}{key}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "an unknown transfer coding": f"{line}{key}Transfer-Encoding: {CANARY}\r\n\r\n",
        "chunked twice": f"{line}{key}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        "a chunk size that is no number": f"{line}{key}Transfer-Encoding: chunked\r\n\r\n{CANARY}\r\n",
        "a chunk longer than it says": f"{line}{key}Transfer-Encoding: chunked\r\n\r\n1\r\n{CANARY}\r\n0\r\n\r\n",
        "a giant chunk size": f"{line}{key}Transfer-Encoding: chunked\r\n\r\n{'f' * 40}\r\n",
        "a URL that is no URL": f"GET {CANARY} HTTP/1.1\r\nHost: x\r\n\r\n",
        "a folded header": f"{line}X: a\r\n {CANARY}\r\n\r\n",
        "a UTF-16 request": "POST /fhir HTTP/1.1\r\n\r\n",
    }
    for name, text in whole.items():
        encoded = text.encode("utf-16") if "UTF-16" in name else text.encode("latin-1")
        yield Case(name, encoded, (400, 401, 404, 405, 0), close=True)
    yield Case("headers without end", line.encode() + b"X: " + CANARY.encode() * 20_000, (400,), "headers-too-large")
    many = "".join(f"X-{number}: {CANARY}\r\n" for number in range(8000))
    yield Case("thousands of headers", (line + many).encode(), (400,), "headers-too-large")
    yield Case("a URL without end", b"GET /" + CANARY.encode() * 20_000, (400,), "headers-too-large")
    yield Case("TLS to a plain port", bytes.fromhex("16030100a5010000a1030352"), (400, 0), close=True)


def route_cases() -> Iterator[Case]:
    key = {"Authorization": "Bearer {KEY}"}
    for path in (
        "/", f"/{CANARY}", f"/fhir/{CANARY}", f"/fhir/Patient/{CANARY}/_history", "/fhir//", "/fhir//Patient",
        "/fhir/../health/live", "/fhir/%2e%2e/%2e%2e/etc/passwd", "/fhir/Patient%00", "/fhir/Patient/%2F",
        f"/fhir/${CANARY}", "/fhir/$validate/", "/FHIR", "/fhir/patient", "/fhir/Patients", "/rights/x",
        f"/fhir/Patient/1/2/3/{CANARY}", "/openapi.json/x", "/docs", "/redoc", "/.env", "/fhir/%F0%9F%98%80",
        "/fhir/%ff%fe", f"/fhir?_format=xml&{CANARY}={CANARY}", "/fhir/Patient/" + "a" * 65, "/fhir/Patient/a b",
    ):  # fmt: skip
        escaped = path.replace(" ", "%20")
        for method in ("POST", "PUT", "DELETE", "GET"):
            name = f"{method} {path}"
            body = b"" if method in ("GET", "DELETE") else b"{}"
            headers = key | ({"Content_Type": FHIR} if body else {})
            yield Case(name, request(method, escaped, body, **headers), (400, 403, 404, 405, 415, 422))
    for method in ("GET", "HEAD", "PATCH", "TRACE", "PUT", "DELETE", "SEARCH", "PROPFIND"):
        yield Case(f"{method} on the base itself", request(method, "/fhir", **key), (405, 404))
    yield Case("a Bundle under an id", request("PUT", "/fhir/Bundle/1", b"{}", **key, Content_Type=FHIR), (405,))


def json_cases() -> Iterator[Case]:
    texts: dict[str, tuple[str | bytes, tuple[int, ...], str]] = {
        "nothing": (" ", (400,), "body-empty"),
        "white space": ("\n\t ", (400,), "body-empty"),
        "a word": (CANARY, (400,), "json-invalid"),
        "a string": (f'"{CANARY}"', (400,), "json-not-object"),
        "a number": ("1", (400,), "json-not-object"),
        "null": ("null", (400,), "json-not-object"),
        "an array": (f'["{CANARY}"]', (400,), "json-not-object"),
        "a JSON object without anything": ("{}", (400,), "resource-type-missing"),
        "a type that is a number": ('{"resourceType":1}', (400,), "resource-type-missing"),
        "a type that is empty": ('{"resourceType":""}', (400,), "resource-type-missing"),
        "a type nobody knows": (f'{{"resourceType":"{CANARY}"}}', (422,), "resource-type-unknown"),
        "cut in a string": (f'{{"resourceType":"{CANARY}', (400,), "json-invalid"),
        "cut in an object": ('{"resourceType":"Bundle"', (400,), "json-invalid"),
        "a comma too many": ('{"resourceType":"Bundle",}', (400,), "json-invalid"),
        "single quotes": ("{'resourceType':'Bundle'}", (400,), "json-invalid"),
        "a comment": ('{"resourceType":"Bundle"/*x*/}', (400,), "json-invalid"),
        "text after the end": (f'{{"resourceType":"Bundle"}}{CANARY}', (400,), "json-trailing"),
        "two documents": ('{"resourceType":"Bundle"}{"resourceType":"Bundle"}', (400,), "json-trailing"),
        "NaN": ('{"resourceType":"Bundle","total":NaN}', (400,), "json-number"),
        "Infinity": ('{"resourceType":"Bundle","total":Infinity}', (400,), "json-number"),
        "minus Infinity": ('{"resourceType":"Bundle","total":-Infinity}', (400,), "json-number"),
        "a number of ten thousand digits": ('{"resourceType":"Bundle","total":' + "9" * 10_000 + "}", (400, 422), ""),
        "1e999": ('{"resourceType":"Bundle","total":1e999}', (400, 422), ""),
        "a leading zero": ('{"resourceType":"Bundle","total":01}', (400,), "json-invalid"),
        "a plus sign": ('{"resourceType":"Bundle","total":+1}', (400,), "json-invalid"),
        "a lone surrogate": ('{"resourceType":"Bundle","id":"\\ud800"}', (400,), "json-surrogate"),
        "a reversed surrogate pair": ('{"resourceType":"Bundle","id":"\\udc00\\ud800"}', (400,), "json-surrogate"),
        "a duplicate key": (f'{{"resourceType":"Bundle","id":"a","id":"{CANARY}"}}', (400,), "json-duplicate-key"),
        "a duplicate key deep inside": (
            '{"resourceType":"Bundle","type":"batch","entry":[{"resource":{"resourceType":"Patient","id":"1","id":"2"}}]}',
            (400,), "json-duplicate-key",
        ),
        "a duplicate key under an escape": (
            '{"resourceType":"Bundle","\\u0069d":"a","id":"b"}', (400,), "json-duplicate-key"
        ),
        "a tab in a string": ('{"resourceType":"Bun\tdle"}', (400,), "json-invalid"),
        "a NUL in a string": (b'{"resourceType":"\0"}', (400,), "json-invalid"),
        "a bad escape": ('{"resourceType":"\\x41"}', (400,), "json-invalid"),
        "ISO-8859-1": ('{"resourceType":"é"}'.encode("latin-1"), (400,), "utf8-invalid"),
        "UTF-16": ('{"resourceType":"Bundle"}'.encode("utf-16"), (400,), "utf8-invalid"),
        "UTF-16 without a mark": ('{"resourceType":"Bundle"}'.encode("utf-16-le"), (400,), ""),
        "UTF-32": ('{"resourceType":"Bundle"}'.encode("utf-32"), (400,), ""),
        "an overlong slash": (b'{"resourceType":"\xc0\xaf"}', (400,), "utf8-invalid"),
        "a surrogate in UTF-8": (b'{"resourceType":"\xed\xa0\x80"}', (400,), "utf8-invalid"),
        "beyond Unicode": (b'{"resourceType":"\xf4\x90\x80\x80"}', (400,), "utf8-invalid"),
        "a BOM": (b'\xef\xbb\xbf{"resourceType":"Bundle"}', (400,), "utf8-bom"),
        "XML": (f"<Patient><id value='{CANARY}'/></Patient>", (400,), "json-invalid"),
        "a hundred thousand arrays": (nested(100_000, "[", "]"), (413,), "too-deep"),
        "a hundred thousand objects": (nested(50_000, '{"a":', "}").replace(b":}", b":1}"), (413,), "too-deep"),
        "65 levels": (b'{"resourceType":"Bundle","x":' + nested(64, "[", "]") + b"}", (413,), "too-deep"),
        "arrays that never close": (b"[" * 200_000, (400, 413), ""),
        "a string of a mebibyte and one": (
            b'{"resourceType":"Bundle","id":"' + b"x" * (1024 * 1024 + 1) + b'"}', (413,), "string-too-long"
        ),
        "a key of two mebibytes": (
            b'{"resourceType":"Bundle","' + b"x" * (2 * 1024 * 1024) + b'":1}', (413,), "string-too-long"
        ),
        "1001 entries": (
            json.dumps(bundle("batch", *[{"resource": {"resourceType": "Basic"}}] * 1001)), (413,), "too-many-entries"
        ),
        "eleven mebibytes": (b'{"x":"' + b"y" * 11 * 1024 * 1024 + b'"}', (413,), "body-too-large"),
    }  # fmt: skip
    for name, (text, statuses, code) in texts.items():
        yield posted(name, text if isinstance(text, bytes) else text.encode(), *statuses, code=code)


def form_cases() -> Iterator[Case]:
    empty = b'{"resourceType":"Bundle","type":"collection"}'
    for content_type in (
        "", "text/plain", "text/html", "application/xml", "application/fhir+xml", "multipart/form-data; boundary=x",
        "application/x-www-form-urlencoded", "application/fhir+ndjson", f"application/{CANARY}", "*/*", ";;;;",
        "application/fhir+json; charset=latin-1", f"application/fhir+json; charset={CANARY}",
        "application/json; charset=utf-16le", "application/fhir+json; fhirVersion=3.0", "application/json,text/plain",
    ):  # fmt: skip
        yield posted(f"type {content_type}", empty, 415, Content_Type=content_type)
    for encoding in ("br", "deflate", "compress", "zstd", CANARY, "gzip, gzip", "gzip;q=1", "identity, gzip"):
        yield posted(f"encoding {encoding}", empty, 415, Content_Encoding=encoding, code="content-encoding")
    bomb = gzip.compress(b"\0" * 100 * 1024 * 1024)
    for name, content, statuses, code in (
        ("gzip that is none", empty, 400, "gzip-invalid"),
        ("gzip cut", gzip.compress(empty)[:-4], 400, "gzip-invalid"),
        ("gzip with a wrong sum", gzip.compress(empty)[:-8] + b"\0" * 8, 400, "gzip-invalid"),
        ("gzip and more", gzip.compress(empty) + CANARY.encode(), 400, "gzip-invalid"),
        ("gzip bomb", bomb, 413, "body-too-large"),
        ("gzip in gzip", gzip.compress(gzip.compress(empty)), 400, ""),
        ("gzip of nothing", gzip.compress(b""), 400, "body-empty"),
    ):
        yield posted(name, content, statuses, Content_Encoding="gzip", code=code)
    for header in ("If_Match", "If_None_Match", "If_None_Exist", "If_Modified_Since", "If_Unmodified_Since"):
        yield posted(f"condition {header}", empty, 422, code="header-condition", **{header: f'W/"{CANARY}"'})
    for name, headers in {
        "an absurd Accept": {"Accept": f"{CANARY}/{CANARY};q=9"},
        "an absurd language": {"Accept_Language": "x" * 5000},
        "an absurd Prefer": {"Prefer": f"return={CANARY};;;=,"},
        "an absurd Forwarded": {"X_Forwarded_For": CANARY, "Forwarded": f"for={CANARY}"},
        "an override of the method": {"X_HTTP_Method_Override": "DELETE"},
        "an upgrade to websocket": {"Connection": "Upgrade", "Upgrade": "websocket", "Sec_WebSocket_Key": CANARY},
        "an upgrade to HTTP/2": {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2_Settings": CANARY},
        "an expectation nobody has": {"Expect": CANARY},
        "an id of their own": {"X_Request_Id": CANARY},
        "a cookie": {"Cookie": f"a={CANARY}"},
        "an origin": {"Origin": f"https://{CANARY}.example"},
    }.items():
        yield posted(name, b"{", 400, code="json-invalid", **headers)


def fhir_cases() -> Iterator[Case]:
    person = patient(name=[{"family": CANARY}])
    for name, resource in {
        "a Bundle without a type": {"resourceType": "Bundle"},
        "a Bundle of a type nobody knows": {"resourceType": "Bundle", "type": CANARY},
        "a Bundle type that is a list": {"resourceType": "Bundle", "type": ["batch"]},
        "a searchset": bundle("searchset", {"resource": person}),
        "a history": bundle("history", {"resource": person}),
        "a transaction-response": bundle("transaction-response", {"resource": person}),
        "a single Patient on the base": person,
        "entries that are a string": {"resourceType": "Bundle", "type": "transaction", "entry": CANARY},
        "entries that are an object": {"resourceType": "Bundle", "type": "transaction", "entry": {"a": CANARY}},
        "an entry that is null": bundle("transaction", None),  # type: ignore[arg-type]
        "an entry that is a number": bundle("transaction", 7),  # type: ignore[arg-type]
        "an entry that is empty": bundle("transaction", {}),
        "a resource that is a list": bundle("transaction", {"resource": [person]}),
        "a resource without a type": bundle("transaction", {"resource": {"id": CANARY}}),
        "a transaction without requests": bundle("transaction", {"resource": person}),
        "a collection with requests": bundle("collection", put(person)),
        "a message without a header": bundle("message", {"resource": person}),
        "a document without a composition": bundle("document", {"resource": person}),
        "GET in a transaction": bundle("transaction", {"request": {"method": "GET", "url": f"Patient/{CANARY}"}}),
        "PATCH in a transaction": asked(person, method="PATCH", url="Patient/p1"),
        "a method nobody knows": asked(person, method=CANARY, url="Patient/p1"),
        "a method that is a list": asked(person, method=["PUT"], url="Patient/p1"),
        "a url of another type": asked(person, method="PUT", url="Group/p1"),
        "a url of another id": asked(person, method="PUT", url=f"Patient/{CANARY}"),
        "a url that climbs": asked(person, method="PUT", url="../../etc/passwd"),
        "a url that is a script": asked(person, method="PUT", url="javascript:alert(1)"),
        "ifMatch": asked(person, ifMatch=CANARY),
        "ifNoneExist": asked(person, method="POST", url="Patient", ifNoneExist=CANARY),
        "the same resource twice": bundle("transaction", put(person), put(person)),
        "the same fullUrl twice": bundle(
            "transaction", put(person, fullUrl=f"urn:uuid:{CANARY}"), put(patient("p2"), fullUrl=f"urn:uuid:{CANARY}")
        ),
        "a reference to nobody": bundle(
            "transaction", put(observation(subject={"reference": "urn:uuid:00000000-0000-4000-8000-000000000000"}))
        ),
        "an element nobody knows": bundle("transaction", put(person | {CANARY: CANARY})),
        "an element of R5": bundle("transaction", put(observation() | {"triggeredBy": [{"type": "reflex"}]})),
        "a birth date that is none": bundle("transaction", put(person | {"birthDate": CANARY})),
        "a birth date in the 13th month": bundle("transaction", put(person | {"birthDate": "1980-13-45"})),
        "a gender in French": bundle("transaction", put(person | {"gender": "homme"})),
        "a gender that is an object": bundle("transaction", put(person | {"gender": {"value": CANARY}})),
        "a name that is a string": bundle("transaction", put(person | {"name": CANARY})),
        "an id that is too long": bundle("transaction", put(person | {"id": "x" * 65})),
        "an id with a slash": bundle("transaction", put(person | {"id": f"a/{CANARY}"})),
        "an empty array": bundle("transaction", put(person | {"identifier": []})),
        "an empty object": bundle("transaction", put(person | {"maritalStatus": {}})),
        "a null": bundle("transaction", put(person | {"active": None})),
        "true in quotes": bundle("transaction", put(person | {"active": "true"})),
        "a narrative with a script": with_div(
            person, f"<div xmlns='http://www.w3.org/1999/xhtml'><script>{CANARY}</script></div>"
        ),
        "a narrative with an entity": with_div(
            person, '<!DOCTYPE x [<!ENTITY a "b">]><div xmlns="http://www.w3.org/1999/xhtml">&a;</div>'
        ),
        "a modifier extension": bundle(
            "transaction", put(person | {"modifierExtension": [{"url": f"urn:{CANARY}", "valueBoolean": True}]})
        ),
        "an extension without url": bundle("transaction", put(person | {"extension": [{"valueString": CANARY}]})),
        "two values of a choice": bundle(
            "transaction", put(person | {"deceasedBoolean": True, "deceasedDateTime": "2024-01-01"})
        ),
        "no status": bundle("transaction", put({"resourceType": "Observation", "id": "o", "code": {"text": CANARY}})),
        "prototype pollution": bundle("transaction", put(person | {"__proto__": {"admin": True}, "constructor": {}})),
        "contained in contained": bundle(
            "transaction", put(person | {"contained": [{"resourceType": "Patient", "contained": [person]}]})
        ),
    }.items():  # fmt: skip
        yield fhir(name, resource)
    yield fhir("an Observation for a Patient", observation(), path="/fhir/Patient")
    yield fhir("another id than the url", person, path="/fhir/Patient/p2", method="PUT")
    yield fhir("no id", {"resourceType": "Patient"}, path="/fhir/Patient/p1", method="PUT")
    yield fhir(
        "another hospital's stay", bundle("transaction", put(foreign_stay())), 403, code="service-provider-foreign"
    )
    yield fhir("another hospital's stay in a batch", bundle("batch", put(foreign_stay())), 403)
    yield fhir("another hospital's stay alone", foreign_stay(), 403, path="/fhir/Encounter")


def asked(resource: Json, **request_elements: Any) -> Json:
    """A transaction with one PUT of this resource, its request changed."""
    entry = put(resource)
    return bundle("transaction", entry | {"request": entry["request"] | request_elements})


def with_div(resource: Json, div: str) -> Json:
    return bundle("transaction", put(resource | {"text": {"status": "generated", "div": div}}))


def foreign_stay() -> Json:
    finess = {"system": "https://finess.esante.gouv.fr", "value": "690781810"}
    return {
        "resourceType": "Encounter",
        "id": CANARY,
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
        "subject": {"reference": "Patient/p1"},
        "serviceProvider": {"identifier": finess},
    }


def auth_cases() -> Iterator[Case]:
    body = bundle("transaction", put(patient()))
    content = json.dumps(body).encode()
    for name, value in {
        "nothing": None,
        "empty": "",
        "a scheme alone": "Bearer",
        "a scheme and a space": "Bearer ",
        "no scheme": "{KEY}",
        "Basic": "Basic dXNlcjpwYXNz",
        "Digest": f'Digest username="{CANARY}"',
        "an unknown key": "Bearer sgk_00000000_" + "A" * 43,
        "the key cut": "Bearer {CUT}",
        "the key and more": "Bearer {KEY}x",
        "the key twice": "Bearer {KEY} {KEY}",
        "the key in capitals": "Bearer {UPPER}",
        "the id of the key alone": "Bearer {ID}",
        "a good id and another secret": "Bearer {ID}_" + "A" * 43,
        "a word": f"Bearer {CANARY}",
        "a NUL": "Bearer \\0",
        "a quote": "Bearer ' OR 1=1 --",
        "ten thousand characters": "Bearer " + "a" * 10_000,
        "Latin letters": "Bearer sgk_é",
        "a JWT that nobody signed": "Bearer eyJhbGciOiJub25lIn0.eyJpc3MiOiJ4In0.",
        "two credentials by comma": "Bearer x, Bearer {KEY}",
        "a tab": "Bearer\t{KEY}",
    }.items():
        headers = {"Content_Type": FHIR} | ({} if value is None else {"Authorization": value})
        yield Case(f"credential: {name}", request("POST", "/fhir", content, **headers), (401,), "unauthenticated")
    for method, path in (
        ("POST", "/fhir/$validate"), ("POST", "/fhir/$de-identify"), ("POST", "/fhir/Patient"),
        ("PUT", "/fhir/Patient/p1"), ("DELETE", "/fhir/Patient/p1"), ("POST", f"/fhir/{CANARY}"),
        ("GET", "/fhir/Patient/p1"), ("GET", "/fhir/x/y/z"),
        ("PATCH", "/fhir/Patient/p1"), ("POST", "/fhir/Patient/$validate"), ("POST", "/rights/oppositions"),
        ("DELETE", "/rights/oppositions/1"), ("GET", "/rights/receipts/1"), ("POST", "/rights/erasures"),
    ):  # fmt: skip
        yield Case(f"{method} {path} without", request(method, path), (401,), "unauthenticated")
    twice = request("POST", "/fhir", content, Content_Type=FHIR, Authorization="Bearer {KEY}")
    for name, more in (("a wrong key and the right one", b"Authorization: Bearer x\r\n"),
                       ("the right key twice", b"Authorization: Bearer {KEY}\r\n")):  # fmt: skip
        yield Case(name, twice.replace(b"Host:", more + b"Host:", 1), (401,), "unauthenticated")
    yield Case("the key in the query", request("POST", "/fhir?access_token={KEY}", content, Content_Type=FHIR), (401,))
    yield Case("the key in a cookie", request("POST", "/fhir", content, Cookie="token={KEY}"), (401,))
    yield Case("the key in another header", request("POST", "/fhir", content, X_Api_Key="{KEY}"), (401,))
    big = request("POST", "/fhir", b"x" * 20 * 1024 * 1024, Content_Type=FHIR)
    yield Case("twenty mebibytes from nobody", big, (401,), "unauthenticated")


CASES = [
    one
    for group in (http_cases, route_cases, json_cases, form_cases, fhir_cases, auth_cases)
    for one in group()
]  # fmt: skip


def filled(sent: bytes, key: str) -> bytes:
    """Put the key in; a header names a secret of the same length, so lengths stay right."""
    for mark, value in (
        (b"{KEY}", key), (b"{CUT}", key[:-1]), (b"{UPPER}", key.upper()), (b"{ID}", "_".join(key.split("_")[:2])),
    ):  # fmt: skip
        sent = sent.replace(mark, value.encode())
    return sent


@pytest.mark.parametrize("case", CASES, ids=lambda one: one.name)
def test_hostile_input_gets_a_clear_refusal(served: Installation, case: Case) -> None:
    sent = filled(case.sent, served.key())

    reply = send(served.port, sent, close=case.close)

    assert reply.status in case.statuses, (reply.status, reply.body[:600])
    if reply.status == 0:
        return
    assert CANARY.encode() not in reply.body
    assert CANARY not in repr(reply.headers)
    if not sent.startswith(b"HEAD"):
        assert reply.json["resourceType"] == "OperationOutcome"
        assert any(one["severity"] in ("error", "fatal") for one in reply.json["issue"])
        if case.code:
            assert case.code in reply.codes


def test_there_are_at_least_two_hundred_cases() -> None:
    assert len(CASES) >= 200
    assert len({case.name for case in CASES}) == len(CASES)


def test_every_refusal_of_a_credential_looks_the_same(served: Installation) -> None:
    replies: list[Reply] = [
        send(served.port, filled(case.sent, served.key()))
        for case in auth_cases()
        if case.name.startswith("credential")
    ]

    assert len({reply.body for reply in replies}) == 1
    assert len({tuple(sorted(set(reply.headers) - {"date", "x-request-id"})) for reply in replies}) == 1


def test_after_all_of_it_the_gateway_serves_and_its_accounts_close(served: Installation) -> None:
    for case in CASES[::7]:
        send(served.port, filled(case.sent, served.key()), close=case.close)

    good = served.post(
        bundle("transaction", put(patient("well")) | {"fullUrl": "https://his.example/fhir/Patient/well"})
    )
    accounts = served.wait_idle()
    log = served.log.read_bytes()

    assert good.status_code == 200, good.text
    assert accounts["received"] == accounts["refused"] + accounts["published"] + accounts["suppressed"]
    assert b'"event":"fault"' not in log
    assert b"child-ended" not in log
    assert CANARY.encode() not in log
    assert [str(path) for path, content in served.every_byte() if CANARY.encode() in content] == []


def test_a_body_is_never_kept_on_disk(served: Installation) -> None:
    head = request(
        "POST", "/fhir", Authorization=f"Bearer {served.key()}", Content_Type=FHIR, Content_Length=str(6_000_000)
    )
    with socket.create_connection(("127.0.0.1", served.port), timeout=WAIT_S) as half:
        half.sendall(head + b'{"a":"' + CANARY.encode() * 200_000)
        pids = [pid for pid in children(served) if b"tables" not in Path(f"/proc/{pid}/cmdline").read_bytes()]
        opened = [name for pid in pids for name in links(Path(f"/proc/{pid}/fd"))]

    assert any("events.sqlite" in name for name in opened)
    assert [name for name in opened if "(deleted)" in name or not name.startswith((*KNOWN, str(served.data_dir)))] == []


def children(served: Installation) -> list[str]:
    return Path(f"/proc/{served.pid}/task/{served.pid}/children").read_text().split()


def links(folder: Path) -> Iterator[str]:
    for link in folder.iterdir():
        with suppress(OSError):  # closed in the meantime
            yield str(link.readlink())


KNOWN = ("socket:", "pipe:", "anon_inode:", "/dev/", "/proc/", str(Path(sys.prefix)), str(PROJECT))
