"""A person objects: out of log, tables and files, with a signed receipt; what is sent again stays out (promise P18)."""

from __future__ import annotations

import base64
import copy
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import httpx
import pytest

from gateway.rights import is_genuine
from tests.e2e.test_sources_and_order import INS, IPP, condition, encounter, patient, put
from tests.support.installation import COMMAND, FINESS, Installation, snds_gateway

pytestmark = pytest.mark.slow

OTHER = "690781810"
Json = dict[str, Any]


def stay(code: str, number: str) -> Json:
    """One person's finished stay."""
    person = patient(
        id=f"p{number}",
        identifier=[IPP | {"value": f"IPP-{number}"}, INS | {"value": f"2600275012{number}82"}],
    )
    subject = {"reference": f"Patient/p{number}"}
    visit = copy.deepcopy(encounter()["identifier"])
    visit[0]["value"] = f"NDA-{number}"
    diagnosis = condition(f"c{number}", code, "DP") | {
        "subject": subject, "encounter": {"reference": f"Encounter/e{number}"},
    }  # fmt: skip
    return put(person, encounter(id=f"e{number}", subject=subject, identifier=visit), diagnosis)


STAYING, OBJECTING = stay("I10", "345"), stay("K25", "346")
PERSON = OBJECTING["entry"][0]["resource"]


RESEARCH = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope", "code": "research"}]}


def consent(kind: str, **changes: Any) -> Json:
    """A Consent of the person who objects."""
    category = {
        "coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentcategorycodes", "code": "research"}]
    }
    return {
        "resourceType": "Consent", "id": "consent-1", "status": "active", "scope": RESEARCH, "category": [category],
        "patient": {"reference": f"Patient/{PERSON['id']}"}, "policy": [{"uri": "https://chu.example/recherche"}],
        "provision": {"type": kind},
    } | changes  # fmt: skip


def coded(answer: httpx.Response) -> list[str]:
    """Return the codes of the issues of an answer, entry by entry."""
    body = answer.json()
    outcomes = [entry["response"].get("outcome", {}) for entry in body.get("entry", [])] or [body]
    return [one["details"]["coding"][0]["code"] for outcome in outcomes for one in outcome.get("issue", ())]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Installation]:
    options = ("--test-identities", "--french-profiles", "declared")
    installation = Installation(tmp_path / "data", *options)
    snds_gateway("hospital", "add", "--data-dir", str(installation.data_dir), "--finess", OTHER, *options,
                 "--scopes", "write,rights")  # fmt: skip
    snds_gateway("hospital", "add", "--data-dir", str(installation.data_dir), "--finess", FINESS, "--source", "labo",
                 "--scopes", "write")  # fmt: skip
    with installation.serving():
        yield installation


def asked(
    served: Installation, method: str, path: str, body: Json | None = None, *, name: str = FINESS
) -> httpx.Response:
    with served.client(name) as client:
        return client.request(method, path, content=json.dumps(body).encode() if body else b"")


def diagnoses(served: Installation) -> list[str]:
    return [code for (code,) in served.sql("SELECT DGN_PAL FROM T_MCO24B ORDER BY 1")]


def test_an_opposition_takes_a_person_out_and_a_withdrawal_lets_them_in_again(served: Installation) -> None:
    for sent in (STAYING, OBJECTING):
        assert served.post(sent).status_code == 200
    served.wait_idle()
    assert diagnoses(served) == ["I10", "K25"]

    begun = asked(served, "POST", "/rights/oppositions", PERSON)
    served.wait_idle()
    assert begun.status_code == 201, begun.text
    assert begun.headers["Location"] == f"/rights/receipts/{begun.json()['id']}"
    assert diagnoses(served) == ["I10"]

    again = served.post(OBJECTING | {"timestamp": "2026-01-01T00:00:00Z"})
    accounts = served.wait_idle()
    assert [one["response"]["status"] for one in again.json()["entry"]] == ["202 Accepted"] * 3
    assert accounts["suppressed"] == 3
    assert accounts["received"] == accounts["published"] + accounts["refused"] + accounts["suppressed"]
    assert diagnoses(served) == ["I10"]

    number = begun.json()["id"]
    assert asked(served, "DELETE", f"/rights/oppositions/{number}").status_code == 204
    assert served.post(OBJECTING | {"timestamp": "2026-01-02T00:00:00Z"}).status_code == 200
    served.wait_idle()
    assert diagnoses(served) == ["I10", "K25"]
    assert asked(served, "GET", f"/rights/receipts/{number}").json()["ended"] is not None


def test_the_receipt_is_signed_counts_rows_and_names_the_last_day(served: Installation) -> None:
    served.post(OBJECTING)
    served.wait_idle()
    number = asked(served, "POST", "/rights/erasures?ground=withdrawn-consent", PERSON).json()["id"]
    served.wait_idle()

    shown = asked(served, "GET", f"/rights/receipts/{number}").json()
    public = base64.b64decode(shown["publicKey"])

    assert (shown["id"], shown["kind"], shown["perimeter"], shown["ground"]) == (
        number, "erasure", FINESS, "withdrawn-consent",
    )  # fmt: skip
    assert shown["effect"]["rows"] > 0
    assert shown["lastDate"] > shown["begun"][:10]
    assert is_genuine(shown, public=public)
    assert not is_genuine(shown | {"perimeter": OTHER}, public=public)
    assert not is_genuine(shown | {"signature": "AAAA"}, public=public)


def test_an_act_is_the_hospital_s_own(served: Installation) -> None:
    number = asked(served, "POST", "/rights/oppositions", PERSON).json()["id"]

    assert asked(served, "POST", "/rights/oppositions", PERSON).json()["id"] == number
    assert asked(served, "POST", "/rights/oppositions", PERSON, name=OTHER).json()["id"] != number
    for method, path in (("GET", f"/rights/receipts/{number}"), ("DELETE", f"/rights/oppositions/{number}")):
        assert asked(served, method, path, name=OTHER).status_code == 404
    assert asked(served, "POST", "/rights/oppositions?perimeter=platform", PERSON).status_code == 403


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"resourceType": "Patient", "name": [{"family": "X"}]}, "no-stable-identity"),
        ({"resourceType": "Observation", "status": "final", "code": {"text": "x"}}, "person-missing"),
        (put(PERSON, patient(id="p999", identifier=[IPP])), "person-ambiguous"),
        ({"resourceType": "Patient", "id": "x", "gender": "homme"}, "code-not-in-value-set"),
    ],
)
def test_who_cannot_be_told_from_others_is_refused_with_the_reason(served: Installation, body: Json, code: str) -> None:
    answer = asked(served, "POST", "/rights/oppositions", body)

    assert answer.status_code == 422
    assert code in [one["details"]["coding"][0]["code"] for one in answer.json()["issue"]] or code.startswith("code-")


def test_rights_need_their_scope_and_leave_no_identity_anywhere(served: Installation) -> None:
    asked(served, "POST", "/rights/oppositions", PERSON)
    with httpx.Client(base_url=served.url) as client:
        stranger = client.post("/rights/oppositions", content=json.dumps(PERSON))

    assert stranger.status_code == 401
    words = [b"EXEMPLE", b"IPP-346", b"1960-02-29", b"2600275012346"]
    assert [(path.name, word) for path, content in served.every_byte() for word in words if word in content] == []


def test_the_command_line_does_the_same_and_its_receipts_can_be_checked(served: Installation, tmp_path: Path) -> None:
    file = tmp_path / "patient.json"
    file.write_text(json.dumps(PERSON))
    where = ("--data-dir", str(served.data_dir))
    person = (*where, "--finess", FINESS, "--patient", str(file))
    served.post(OBJECTING)
    served.wait_idle()

    number = json.loads(snds_gateway("rights", "oppose", *person).stdout)["id"]
    served.wait_idle()
    shown = snds_gateway("rights", "receipt", number, *where).stdout
    changed = shown.replace(FINESS, OTHER)
    checks = [
        subprocess.run([*COMMAND, "rights", "receipt", number, "--verify", *where], input=one, text=True,
                       capture_output=True, check=False).returncode
        for one in (shown, changed, "nonsense")
    ]  # fmt: skip

    assert asked(served, "GET", f"/rights/receipts/{number}").json()["effect"]["rows"] > 0
    assert checks == [0, 1, 1]
    assert snds_gateway("rights", "erase", *person, "--ground", "unlawful").returncode == 0
    for kind, code in (("permit", 1), ("deny", 0)):  # the Consent that says so may stand beside the Patient
        said = {"resourceType": "Bundle", "type": "collection", "entry": [
            {"fullUrl": f"https://dpi.example/fhir/{one['resourceType']}/{one['id']}", "resource": one}
            for one in (PERSON, consent(kind))
        ]}  # fmt: skip
        file.write_text(json.dumps(said))
        assert snds_gateway("rights", "oppose", *person, check=False).returncode == code
        assert snds_gateway("rights", "erase", *person, check=False).returncode == 1  # it says nothing of an erasure
    file.write_text(json.dumps(PERSON))
    assert len(snds_gateway("rights", "withdraw", *person).stdout.splitlines()) == 3
    assert snds_gateway("rights", "withdraw", *person, check=False).returncode == 1
    assert snds_gateway("audit", "verify", *where).returncode == 0


def test_a_consent_that_denies_research_is_an_opposition_and_it_alone_ends_it(served: Installation) -> None:
    served.post(STAYING)
    denied = served.post(put(*(entry["resource"] for entry in OBJECTING["entry"]), consent("deny")))
    accounts = served.wait_idle()
    with served.client() as client:
        other = client.put("/fhir/Consent/consent-2", json=consent("permit", id="consent-2"))
        removed = client.delete("/fhir/Consent/consent-1")
        partial = client.put("/fhir/Consent/consent-3", json=consent("deny", id="consent-3") | {
            "provision": {"type": "deny", "period": {"end": "2030-01-01"}}})  # fmt: skip
        batch = client.post("/fhir", json=put(STAYING["entry"][0]["resource"], consent("permit", id="c4")) | {
            "type": "batch"})  # fmt: skip
        still = diagnoses(served)
        ended = client.put("/fhir/Consent/consent-1", json=consent("deny", status="inactive"))
    served.post(OBJECTING | {"timestamp": "2026-01-02T00:00:00Z"})
    served.wait_idle()

    assert denied.status_code == 200, denied.text
    assert "consent-kept" in coded(denied)
    assert accounts["suppressed"] == 4
    assert still == ["I10"]
    assert (other.status_code, coded(other)) == (422, ["consent-other-act"])
    assert (removed.status_code, coded(removed)) == (422, ["consent-in-force"])
    assert (partial.status_code, coded(partial)) == (422, ["consent-partial"])
    assert [entry["response"]["status"][:3] for entry in batch.json()["entry"]] == ["202", "422"]
    assert (ended.status_code, "consent-ended" in coded(ended)) == (202, True)
    assert diagnoses(served) == ["I10", "K25"]
    line = next(one for one in coded_texts(denied) if "/rights/receipts/" in one)
    shown = asked(served, "GET", "/rights/receipts/" + line.rpartition("/")[2].rstrip(".")).json()
    assert (shown["kind"], shown["ground"], shown["effect"]["rows"]) == ("opposition", "objection", 0)
    assert shown["ended"] is not None


def coded_texts(answer: httpx.Response) -> list[str]:
    """Return the sentences of the issues of the entries of an answer."""
    outcomes = [entry["response"].get("outcome", {}) for entry in answer.json()["entry"]]
    return [one["details"]["text"] for outcome in outcomes for one in outcome.get("issue", ())]


def test_who_may_not_act_on_rights_is_told_that_its_consent_does_nothing(served: Installation) -> None:
    with served.client(f"{FINESS}-labo") as client:
        refused = client.put("/fhir/Consent/consent-1", json=consent("deny"))
        batch = client.post("/fhir", json=put(PERSON, consent("deny")) | {"type": "batch"})
        usual = client.put("/fhir/Consent/consent-1", json=consent("permit"))

    assert (refused.status_code, coded(refused)) == (403, ["consent-needs-rights"])
    assert [entry["response"]["status"] for entry in batch.json()["entry"]] == ["202 Accepted", "403 Forbidden"]
    assert usual.status_code == 202


def test_a_limitation_keeps_the_rows_from_readers_and_a_lift_shows_them_again(
    served: Installation, tmp_path: Path
) -> None:
    for sent in (STAYING, OBJECTING):
        served.post(sent)
    served.wait_idle()

    begun = asked(served, "POST", "/rights/limitations", PERSON)
    served.wait_idle()
    hidden = diagnoses(served)
    served.post(OBJECTING | {"timestamp": "2026-01-01T00:00:00Z"})
    accounts = served.wait_idle()
    number = begun.json()["id"]
    shown = asked(served, "GET", f"/rights/receipts/{number}").json()

    assert begun.status_code == 201, begun.text
    assert hidden == diagnoses(served) == ["I10"]
    assert (accounts["suppressed"], accounts["stays"]["written"]) == (0, 2)  # frozen: kept, and kept up to date
    assert (shown["kind"], shown["effect"]["resources"]) == ("limitation", 0)
    assert shown["effect"]["rows"] > 0
    assert shown["effect"]["done"] is not None
    files = [str(path) for path in (served.data_dir / "lake" / "v").rglob("*.parquet")]
    with duckdb.connect() as own:
        published = {cell for file in files for row in own.read_parquet(file).fetchall() for cell in row}
    assert "I10" in published
    assert "K25" not in published  # as a value: three letters are found by chance among those of pseudonyms

    assert asked(served, "DELETE", f"/rights/limitations/{number}").status_code == 204
    served.wait_idle()
    assert diagnoses(served) == ["I10", "K25"]

    file = tmp_path / "patient.json"
    file.write_text(json.dumps(PERSON))
    person = ("--data-dir", str(served.data_dir), "--finess", FINESS, "--patient", str(file))
    assert snds_gateway("rights", "restrict", *person, "--ground", "unlawful").returncode == 0
    served.wait_idle()
    assert diagnoses(served) == ["I10"]
    assert snds_gateway("rights", "withdraw", *person, check=False).returncode == 1  # no opposition, no erasure
    assert snds_gateway("rights", "lift", *person).returncode == 0
    served.wait_idle()
    assert diagnoses(served) == ["I10", "K25"]


def named_in(value: Json) -> tuple[set[str], set[str]]:
    """Return the pseudonyms of one event: those by which the register may know the person, and all others."""
    known, others = set(), set()
    for entry in value["entry"]:
        for one in entry["resource"]["identifier"]:
            names = one["system"].removeprefix("urn:snds-gateway:") in ("person", "stay", "ano", "psa")
            (known if names else others).add(one["value"])
    return known, others


def test_no_byte_of_the_person_is_left_in_any_file_of_a_running_system(served: Installation) -> None:
    number = copy.deepcopy(encounter()["identifier"])
    number[0]["value"] = "NDA-347"
    visit = encounter(id="e347", subject={"reference": f"Patient/{PERSON['id']}"}, identifier=number)
    unfinished = put(PERSON, visit)  # a stay without a diagnosis waits in quarantine: its reason goes too
    for sent in (STAYING, OBJECTING, unfinished):
        assert served.post(sent).status_code == 200
    assert served.wait_idle()["stays"] == {"open": 0, "written": 2, "quarantined": 1, "suppressed": 0}
    told = snds_gateway("events", "tail", "--data-dir", str(served.data_dir), "--format", "json").stdout
    events = [json.loads(line)["value"] for line in told.splitlines()]
    [first, *both] = [named_in(one) for one in events]
    known, others = (set.union(*(one[side] for one in both)) - first[side] for side in (0, 1))
    found = {
        path.name.removesuffix("-wal")
        for path, content in served.every_byte()
        for one in others
        if one.encode() in content
    }
    assert {"events.sqlite", "ops.sqlite"} <= found  # they are there to be found

    asked(served, "POST", "/rights/oppositions", PERSON)
    accounts = served.wait_idle()
    left = [(path.name, one) for path, content in served.every_byte() for one in others if one.encode() in content]
    names = {path.name for path, content in served.every_byte() for one in known if one.encode() in content}
    told = snds_gateway("events", "tail", "--data-dir", str(served.data_dir), "--format", "json").stdout

    assert left == []
    assert names <= {"events.sqlite", "events.sqlite-wal"}  # the register, that keeps the person out
    assert [one for one in known if one in told] == []
    assert accounts["stays"] == {"open": 0, "written": 1, "quarantined": 0, "suppressed": 2}
