"""A unique token in every identifying place of a bundle is found nowhere afterwards (promise P13).

The positive control: the same search over the posted bytes and over the dry run's own input finds every token.
"""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.e2e.test_sources_and_order import condition, encounter, laboratory, patient, put
from tests.support.installation import Installation

IDENTIFYING_KEYS = ("family", "given", "display", "text", "line", "city", "unit", "title", "comment", "assigner")


class Tokens:
    """Numbered canaries: 20 characters that no other text holds."""

    def __init__(self) -> None:
        self.made: list[str] = []

    def __call__(self) -> str:
        self.made.append(f"zqcanary{len(self.made):04d}xkwvjqzy")
        return self.made[-1]


def laden(token: Tokens) -> dict[str, Any]:
    """A bundle with a token in names, addresses, telecoms, narratives, displays, notes, ids, urls, extensions."""
    person = patient(
        id=token(),
        identifier=[
            {
                "use": "usual",
                "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "PI"}],
                    "text": token(),
                },
                "system": "urn:oid:1.2.250.1.71.4.2.2",
                "value": token(),
                "assigner": {"display": token()},
            }
        ],
        name=[{"use": "official", "text": token(), "family": token(), "given": [token()], "prefix": [token()]}],
        telecom=[{"system": "email", "value": f"{token()}@{token()}.example"}],
        address=[{"text": token(), "line": [token()], "city": token(), "postalCode": "75012", "district": token()}],
        contact=[{"name": {"family": token()}, "telecom": [{"system": "phone", "value": token()}]}],
        generalPractitioner=[{"display": token()}],
        photo=[{"title": token(), "url": f"https://photos.example/{token()}"}],
        extension=[{"url": f"https://ext.example/{token()}", "valueString": token()}],
        text={"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml"><p>{token()}</p></div>'},
    )  # fmt: skip
    stay = encounter(
        id=token(),
        subject={"reference": f"Patient/{person['id']}", "display": token()},
        reasonCode=[{"coding": [{"system": f"https://local.example/{token()}", "code": token()}], "text": token()}],
        participant=[{"individual": {"display": token()}}],
    )
    stay["identifier"] = [dict(stay["identifier"][0], value=token())]
    diagnosis = condition(token(), "I10", "DP") | {
        "subject": {"reference": f"Patient/{person['id']}"},
        "encounter": {"reference": f"Encounter/{stay['id']}"},
        "note": [{"text": token(), "authorString": token()}],
    }
    diagnosis["code"]["text"] = token()
    diagnosis["code"]["coding"][0]["display"] = token()
    result = copy.deepcopy(laboratory()[1]["resource"]) | {
        "id": token(),
        "subject": {"reference": f"Patient/{person['id']}"},
        "encounter": {"reference": f"Encounter/{stay['id']}"},
        "note": [{"text": token()}],
        "performer": [{"display": token()}],
        "identifier": [{"system": f"https://lab.example/{token()}", "value": token()}],
        "_effectiveDateTime": {"extension": [{"url": f"https://ext.example/{token()}", "valueString": token()}]},
    }
    result["valueQuantity"]["unit"] = token()
    bundle = put(person, stay, diagnosis, result)
    bundle["id"] = token()
    bundle["identifier"] = {"system": "https://bundles.example", "value": token()}
    return bundle


def shapes(token: str) -> Iterator[bytes]:
    """The forms in which a token could leave: as it is, other case, base64 at each alignment, hex, UTF-16."""
    yield token.encode()
    yield token.upper().encode()
    for shift in range(3):
        encoded = base64.b64encode(b"\0" * shift + token.encode())
        yield encoded[4 if shift else 0 : -4]
    yield token.encode().hex().encode()
    yield token.encode("utf-16-le")


def test_a_token_in_every_identifying_place_is_found_in_no_output(tmp_path: Path) -> None:
    token = Tokens()
    bundle = laden(token)
    sent = json.dumps(bundle).encode()
    planted = tuple(token.made)
    wrong = copy.deepcopy(bundle)
    wrong["entry"][1]["resource"]["status"] = token()
    wrong["entry"][2]["resource"][token()] = token()
    wrong["entry"][0]["resource"]["birthDate"] = token()

    installation = Installation(tmp_path / "data", "--french-profiles", "declared")
    with installation.serving():
        answers = [installation.post(bundle), installation.post(wrong), installation.post(wrong, f"/fhir/{token()}")]
        with installation.client() as client:
            answers += [
                client.post(f"/fhir/{token()}?{token()}={token()}", content=b"{", headers={"X-Request-Id": token()}),
                client.delete(f"/fhir/Patient/{token()}"),
                client.get(f"/{token()}"),
                client.get("/metrics"),
            ]
        accounts = installation.wait_idle()
        tables = [name for (name,) in installation.sql("SELECT view_name FROM duckdb_views() WHERE NOT internal")]
        outputs = {f"answer {number}": answer.content for number, answer in enumerate(answers)}
        outputs |= {f"headers {number}": repr(answer.headers).encode() for number, answer in enumerate(answers)}
        outputs |= {name: repr(installation.sql(f'SELECT * FROM "{name}"')).encode() for name in tables}
    outputs |= {path.name: content for path, content in installation.every_byte()}

    assert answers[0].status_code == 200, answers[0].text
    assert accounts["stays"]["written"] == 1
    assert len(token.made) > 45
    assert [
        (name, made)
        for name, content in outputs.items()
        for made in token.made
        for form in shapes(made)
        if form in content
    ] == []
    # positive control: the same search finds every planted token in what was sent
    assert [made for made in planted if not any(form in sent for form in shapes(made))] == []
