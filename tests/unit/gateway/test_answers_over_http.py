"""What DESIGN §8 promises to a hospital's software, asked of a real gateway over loopback."""

from __future__ import annotations

import gzip
import json
import socket
from typing import Any

import httpx
import pytest
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.operationoutcome import OperationOutcome
from fhir.resources.R4B.parameters import Parameters

from gateway.routes import ROUTES
from streaming.aggregates import MINIMUM
from tests.support.installation import ANSWER_WITHIN_S, Installation
from tests.support.posted import bundle, observation, patient, post, put
from tests.support.raw_http import read_reply, request, send
from transformers.deidentify.rules import load_rules

pytestmark = pytest.mark.slow

Json = dict[str, Any]
BASE = "https://his.example/fhir/"


def entry(resource: Json, **more: Any) -> Json:
    """A PUT with a fullUrl: nothing to say about it."""
    return put(resource, fullUrl=f"{BASE}{resource['resourceType']}/{resource['id']}", **more)


def wrong(resource_id: str) -> Json:
    return entry(patient(resource_id, gender="homme"))


def basic(resource_id: str) -> Json:
    return entry(patient(resource_id))


def accounts(served: Installation) -> dict[str, float]:
    """The entry counters of all workers, from /metrics."""
    found = dict.fromkeys(("refused", "accepted"), 0.0)
    for line in httpx.get(f"{served.url}/metrics", timeout=ANSWER_WITHIN_S).text.splitlines():
        if line.startswith("snds_gateway_entries_total{"):
            name, value = line.rsplit(" ", 1)
            found[name.split('"')[1]] = float(value)
    return found


def test_an_entry_of_which_nothing_leaves_is_accepted_counted_and_told(served: Installation) -> None:
    doctor = {"resourceType": "Practitioner", "name": [{"family": "Martin"}]}
    doctors = [entry({**doctor, "id": f"nothing-1-{number}"}) for number in range(MINIMUM)]
    born = {"coding": [{"system": "http://loinc.org", "code": "21112-8"}]}
    identity = entry(observation("nothing-2", code=born, subject={"reference": "Patient/nothing-3"}))
    before = accounts(served)["accepted"]

    answer = served.post(bundle("transaction", *doctors, identity, entry(patient("nothing-3")))).json()

    told = [
        [one["details"]["coding"][0]["code"] for one in each["response"].get("outcome", {}).get("issue", ())]
        for each in answer["entry"]
    ]
    assert [each["response"]["status"] for each in answer["entry"]] == ["202 Accepted"] * (MINIMUM + 2)
    assert ["nothing-leaves" in codes for codes in told] == [True] * (MINIMUM + 1) + [False]
    assert accounts(served)["accepted"] == before + MINIMUM + 2
    assert 'dropped_total{rule="Practitioner"}' in httpx.get(f"{served.url}/metrics", timeout=ANSWER_WITHIN_S).text


@pytest.mark.parametrize("kind", ["transaction", "collection", "message", "document", "batch"])
def test_each_kind_of_bundle_is_answered_with_a_response_bundle_and_a_receipt(served: Installation, kind: str) -> None:
    entries = [entry(patient(f"kind-{kind}-{number}")) for number in range(3)]
    sent = bundle(kind, *entries)
    if kind not in ("transaction", "batch"):
        sent["entry"] = [{name: one[name] for name in ("resource", "fullUrl")} for one in entries]
    if kind == "message":
        header = {"resourceType": "MessageHeader", "id": "m", "eventUri": "urn:x", "source": {"endpoint": "urn:y"}}
        sent["entry"].insert(0, {"fullUrl": f"{BASE}MessageHeader/m", "resource": header})
    if kind == "document":
        composition = {
            "resourceType": "Composition", "id": "c", "status": "final", "type": {"text": "x"}, "title": "x",
            "date": "2024-01-01", "author": [{"reference": f"{BASE}Patient/kind-document-0"}],
        }  # fmt: skip
        sent["entry"].insert(0, {"fullUrl": f"{BASE}Composition/c", "resource": composition})
        sent |= {"identifier": {"system": "urn:ietf:rfc:3986", "value": "urn:x"}, "timestamp": "2024-01-01T00:00:00Z"}

    answer = served.post(sent)
    body = answer.json()

    assert answer.status_code == 200, answer.text
    assert Bundle.model_validate(body)
    assert body["type"] == ("batch-response" if kind == "batch" else "transaction-response")
    assert [one["response"]["status"] for one in body["entry"]] == ["202 Accepted"] * len(sent["entry"])
    assert body["identifier"]["value"] == answer.headers["Gateway-Receipt"]
    assert len(answer.headers["Gateway-Receipt"]) == 22


def test_the_receipt_is_the_same_for_the_same_content_in_another_layout(served: Installation) -> None:
    sent = bundle("transaction", basic("receipt"))
    with served.client() as client:
        first = client.post("/fhir", content=json.dumps(sent))
        again = client.post("/fhir", content=json.dumps(dict(reversed(sent.items())), indent=3))
        other = client.post("/fhir", content=json.dumps(sent | {"id": "other"}))

    assert first.headers["Gateway-Receipt"] == again.headers["Gateway-Receipt"] != other.headers["Gateway-Receipt"]


@pytest.mark.parametrize("position", range(5))
def test_one_invalid_entry_of_a_transaction_refuses_all_and_publishes_nothing(
    served: Installation, position: int
) -> None:
    entries = [basic(f"tx-{position}-{number}") for number in range(5)]
    entries[position] = wrong(f"tx-{position}-wrong")
    before = accounts(served)

    answer = served.post(bundle("transaction", *entries))
    after = accounts(served)

    assert answer.status_code == 422
    assert OperationOutcome.model_validate(answer.json())
    [issue] = [one for one in answer.json()["issue"] if one["severity"] == "error"]
    assert issue["expression"] == [f"Bundle.entry[{position}].resource.gender"]
    assert {one["url"].rsplit("-", 1)[1] for one in issue["extension"]} >= {"line", "col"}
    assert after["accepted"] == before["accepted"]
    assert after["refused"] == before["refused"] + 5


def test_a_batch_is_answered_entry_by_entry_in_order(served: Installation) -> None:
    read = {"request": {"method": "GET", "url": "Patient/x"}}
    conditional = entry(patient("batch-4"))
    conditional["request"]["ifMatch"] = 'W/"1"'

    answer = served.post(bundle("batch", basic("batch-1"), wrong("batch-2"), read, conditional, basic("batch-5")))
    responses = [one["response"] for one in answer.json()["entry"]]

    assert answer.status_code == 200
    assert [one["status"][:3] for one in responses] == ["202", "422", "405", "422", "202"]
    assert [("outcome" in one) for one in responses] == [False, True, True, True, False]
    assert Bundle.model_validate(answer.json())


def test_a_batch_of_refused_entries_only_is_still_answered_entry_by_entry(served: Installation) -> None:
    answer = served.post(bundle("batch", wrong("none-1"), wrong("none-2")))

    assert answer.status_code == 200
    assert [one["response"]["status"][:3] for one in answer.json()["entry"]] == ["422", "422"]


def test_an_empty_bundle_is_answered_without_entries(served: Installation) -> None:
    answer = served.post({"resourceType": "Bundle", "type": "batch"})

    assert answer.status_code == 200
    assert "entry" not in answer.json()
    assert Bundle.model_validate(answer.json())


@pytest.mark.parametrize(
    ("method", "path", "resource"),
    [
        ("POST", "/fhir/Organization", {"resourceType": "Organization", "name": "x",
            "identifier": [{"system": "urn:oid:1.2.250.1.71.4.2.2", "value": "1750712184"}]}),
        ("PUT", "/fhir/Patient/single", patient("single")),
        ("DELETE", "/fhir/Patient/single", None),
    ],
)  # fmt: skip
def test_one_resource_is_answered_with_an_outcome_and_a_receipt(
    served: Installation, method: str, path: str, resource: Json | None
) -> None:
    with served.client() as client:
        answer = client.request(method, path, content=json.dumps(resource) if resource else b"")

    assert answer.status_code == 202, answer.text
    assert OperationOutcome.model_validate(answer.json())
    assert len(answer.headers["Gateway-Receipt"]) == 22


def test_prefer_is_honoured(served: Installation) -> None:
    sent = bundle("collection", {"resource": patient("prefer")})  # no fullUrl: a warning
    found = {}
    with served.client() as client:
        for wanted in ("", "minimal", "OperationOutcome", "representation"):
            headers = {"Prefer": f"return={wanted}"} if wanted else {}
            answer = client.post("/fhir", content=json.dumps(sent), headers=headers)
            response = answer.json()["entry"][0]["response"]
            found[wanted] = ("outcome" in response, answer.headers.get("Preference-Applied"))
            single = client.put("/fhir/Patient/prefer", content=json.dumps(patient("prefer")), headers=headers)
            assert single.status_code == 202
            assert bool(single.content) == (wanted != "minimal")

    assert found == {
        "": (True, None),
        "minimal": (False, "return=minimal"),
        "OperationOutcome": (True, "return=OperationOutcome"),
        "representation": (True, "return=OperationOutcome"),
    }


def test_the_language_is_french_unless_english_is_preferred(served: Installation) -> None:
    with served.client() as client:
        french = client.post("/fhir", content=b"{")
        english = client.post("/fhir", content=b"{", headers={"Accept-Language": "en-GB, fr;q=0.5"})

    assert french.headers["Content-Language"] == "fr"
    assert english.headers["Content-Language"] == "en"
    texts = [answer.json()["issue"][0]["details"] for answer in (french, english)]
    assert texts[0]["text"] != texts[1]["text"]
    assert texts[0]["_text"]["extension"][0]["extension"][1]["valueString"] == texts[1]["text"]


def test_gzip_is_read(served: Installation) -> None:
    with served.client() as client:
        answer = client.post(
            "/fhir",
            content=gzip.compress(json.dumps(bundle("transaction", basic("gzip"))).encode()),
            headers={"Content-Encoding": "gzip"},
        )

    assert answer.status_code == 200


def test_a_limit_itself_is_accepted_and_one_more_is_not(served: Installation) -> None:
    entries = [{"resource": {"resourceType": "Basic", "code": {"text": "x"}}}] * 1000
    with served.client() as client:
        exact = client.post("/fhir/$validate", content=json.dumps(bundle("collection", *entries)))
        more = client.post("/fhir/$validate", content=json.dumps(bundle("collection", *entries, entries[0])))

    assert (exact.status_code, more.status_code) == (200, 413)


# ---- dry runs


def test_validate_says_every_issue_and_answers_200(served: Installation) -> None:
    resource = patient("v", gender="homme", birthDate="1980-13-45")
    with served.client() as client:
        for path, sent in (
            ("/fhir/$validate", resource),
            ("/fhir/Patient/$validate", resource),
            (
                "/fhir/$validate",
                {"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": resource}]},
            ),
            ("/fhir/$validate", bundle("transaction", put(resource))),
        ):
            answer = client.post(path, content=json.dumps(sent, indent=1))
            issues = [one for one in answer.json()["issue"] if one["severity"] == "error"]

            assert answer.status_code == 200
            assert OperationOutcome.model_validate(answer.json())
            assert sorted(one["expression"][0].rsplit(".", 1)[1] for one in issues) == ["birthDate", "gender"]
            assert all({e["url"].rsplit("-", 1)[1] for e in one["extension"]} >= {"line", "col"} for one in issues)


@pytest.mark.parametrize(
    ("path", "sent", "code"),
    [
        ("/fhir/$validate", {"resourceType": "Bundle", "type": "searchset"}, "bundle-type-not-accepted"),
        ("/fhir/$validate", {"resourceType": "Nonsense"}, "resource-type-unknown"),
        ("/fhir/Observation/$validate", patient(), "resource-type-unexpected"),
        ("/fhir/$validate?profile=https://nobody.example/p", patient(), "profile-requested-unknown"),
        ("/fhir/$validate?mode=nonsense", patient(), "mode-unknown"),
        ("/fhir/$validate?mode=profile", patient(), "mode-profile-missing"),
        ("/fhir/$validate", {"resourceType": "Parameters"}, "parameters-resource-missing"),
    ],
)
def test_validate_answers_200_to_what_is_wrong_with_the_resource(
    served: Installation, path: str, sent: Json, code: str
) -> None:
    answer = served.post(sent, path)

    assert answer.status_code == 200, answer.text
    assert code in [one["details"]["coding"][0]["code"] for one in answer.json()["issue"]]


def test_validate_checks_the_profile_asked_for(served: Installation) -> None:
    ins = "https://hl7.fr/ig/fhir/core/StructureDefinition/fr-core-patient-ins"
    plain = served.post(patient("p"), "/fhir/$validate")
    asked = served.post(patient("p"), f"/fhir/$validate?profile={ins}")
    inside = served.post(
        {
            "resourceType": "Parameters",
            "parameter": [
                {"name": "profile", "valueUri": ins},
                {"name": "resource", "resource": patient("p")},
            ],
        },
        "/fhir/$validate",
    )

    errors = [sum(one["severity"] == "error" for one in answer.json()["issue"]) for answer in (plain, asked, inside)]
    assert errors[0] == 0 < errors[1] == errors[2]


def test_dry_runs_count_and_publish_nothing(served: Installation) -> None:
    before = accounts(served)
    for path in ("/fhir/$validate", "/fhir/$de-identify"):
        served.post(bundle("transaction", basic("dry"), wrong("dry-2")), path)
        served.post(bundle("transaction", basic("dry")), path)

    assert accounts(served) == before


def test_de_identify_shows_what_would_leave_under_keys_that_join_with_nothing(served: Installation) -> None:
    person = patient("shown", name=[{"family": "ZQSHOWN"}], birthDate="1980-05-17", gender="female")
    first, again = (served.post(bundle("transaction", entry(person)), "/fhir/$de-identify") for _ in range(2))

    parameters = [one for one in first.json()["parameter"] if one["name"] == "event" for one in one["part"]]
    shown = json.dumps(parameters)

    assert first.status_code == 200
    assert Parameters.model_validate(first.json())
    assert "1980-05" in shown
    assert all(word not in shown for word in ("ZQSHOWN", "1980-05-17", "shown"))
    assert "demo-" in shown
    assert first.content != again.content


def test_de_identify_explains_by_rule_when_asked(served: Installation) -> None:
    sent = bundle("transaction", entry(patient("why", name=[{"family": "ZQWHY"}], birthDate="1980-05-17")))
    plain = served.post(sent, "/fhir/$de-identify")
    explained = served.post(sent, "/fhir/$de-identify?explain=true")

    rules = [one for one in explained.json()["parameter"] if one["name"] == "explained"]
    assert not [one for one in plain.json()["parameter"] if one["name"] == "explained"]
    assert rules
    assert "ZQWHY" not in explained.text


# ---- routes, probes, headers


def test_the_capability_statement_is_true_to_the_routes(served: Installation) -> None:
    answer = httpx.get(f"{served.url}/fhir/metadata", timeout=ANSWER_WITHIN_S)
    statement = answer.json()
    [rest] = statement["rest"]

    assert answer.status_code == 200
    assert CapabilityStatement.model_validate(statement)
    assert statement["fhirVersion"] == "4.0.1"
    assert {one["code"] for one in rest["interaction"]} == {"transaction", "batch"}
    assert {one["name"] for one in rest["operation"]} == {"validate", "de-identify"}
    types = {one["type"] for one in rest["resource"]}
    assert {"Patient", "Encounter", "Observation", "Practitioner", "Composition"} <= types
    assert types <= set(
        load_rules().types | load_rules().book.dropped_types.keys() | load_rules().book.containers.keys()
    )
    [patients] = [one for one in rest["resource"] if one["type"] == "Patient"]
    assert {one["code"] for one in patients["interaction"]} == {"create", "update", "delete"}
    assert any("fr-core-patient" in one for one in patients["supportedProfile"])


def test_openapi_lists_every_route(served: Installation) -> None:
    document = httpx.get(f"{served.url}/openapi.json", timeout=ANSWER_WITHIN_S).json()

    listed = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert listed == {(method, route.path) for route in ROUTES for method in route.methods}


def test_the_base_may_end_with_a_slash(served: Installation) -> None:
    answer = served.post(bundle("transaction", basic("slash")), "/fhir/")
    with served.client() as client:
        wrong = client.get("/fhir/")

    assert answer.status_code == 200
    assert (wrong.status_code, wrong.headers["Allow"]) == (405, "POST")


def test_head_and_options(served: Installation) -> None:
    head = httpx.head(f"{served.url}/fhir/metadata", timeout=ANSWER_WITHIN_S)
    options = httpx.options(f"{served.url}/fhir/Patient/1", timeout=ANSWER_WITHIN_S)

    assert (head.status_code, head.content) == (200, b"")
    assert options.status_code == 204
    assert options.headers["Allow"] == "PUT, DELETE, OPTIONS"


def test_a_wrong_method_says_which_are_right(served: Installation) -> None:
    with served.client() as client:
        answer = client.patch("/fhir/Patient/1", content=b"[]")

    assert answer.status_code == 405
    assert answer.headers["Allow"] == "PUT, DELETE"


def test_each_request_has_an_id_of_ours(served: Installation) -> None:
    ids = [
        httpx.get(f"{served.url}/health/live", headers={"X-Request-Id": "theirs"}, timeout=ANSWER_WITHIN_S).headers[
            "X-Request-Id"
        ]
        for _ in range(20)
    ]

    assert len(set(ids)) == 20
    assert all(len(one) == 16 for one in ids)


def test_health_and_metrics_need_no_credential_and_name_no_one(served: Installation) -> None:
    live, ready = (httpx.get(f"{served.url}/health/{name}", timeout=ANSWER_WITHIN_S) for name in ("live", "ready"))
    metrics = httpx.get(f"{served.url}/metrics", timeout=ANSWER_WITHIN_S)

    assert (live.status_code, ready.status_code, metrics.status_code) == (200, 200, 200)
    assert "snds_gateway_lag_events" in metrics.text
    assert "750712184" not in metrics.text


def test_expect_100_continue_is_answered_before_the_body_and_refused_without_it(served: Installation) -> None:
    body = json.dumps(bundle("transaction", basic("expect"))).encode()
    headers = {"Content_Type": "application/fhir+json", "Expect": "100-continue", "Content_Length": str(len(body))}
    known = request("POST", "/fhir", Authorization=f"Bearer {served.key()}", **headers)
    with socket.create_connection(("127.0.0.1", served.port), timeout=60) as connection:
        connection.sendall(known)
        assert connection.recv(4096).startswith(b"HTTP/1.1 100 Continue")
        connection.sendall(body)
        assert read_reply(connection).status == 200

    stranger = send(served.port, request("POST", "/fhir", **headers))
    assert stranger.status == 401
    assert stranger.headers["connection"] == "close"


def test_a_connection_is_kept_for_the_next_request(served: Installation) -> None:
    body = json.dumps(bundle("transaction", basic("kept"))).encode()
    one = request("POST", "/fhir", body, Authorization=f"Bearer {served.key()}", Content_Type="application/fhir+json")
    with socket.create_connection(("127.0.0.1", served.port), timeout=60) as connection:
        for _ in range(3):
            connection.sendall(one)
            assert read_reply(connection).status == 200


def test_a_client_that_asks_for_http_2_is_served_over_http_1(served: Installation) -> None:
    body = json.dumps(bundle("transaction", basic("h2c"))).encode()
    upgrade = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2_Settings": "AAMAAABkAAQAoAAAAAIAAAAA"}
    known = {"Authorization": f"Bearer {served.key()}", "Content_Type": "application/fhir+json"}
    head = request("POST", "/fhir", Content_Length=str(len(body)), **known, **upgrade)
    chunked = request("POST", "/fhir", Transfer_Encoding="chunked", **known, **upgrade)

    assert send(served.port, head + body).status == 200
    assert send(served.port, head, body[:10], body[10:]).status == 200
    assert send(served.port, chunked, b"%x\r\n%b\r\n" % (len(body), body), b"0\r\n\r\n").status == 200


def test_a_post_keeps_no_id_and_a_put_does(served: Installation) -> None:
    unstable = served.post(bundle("transaction", post({"resourceType": "Patient", "id": "x"})))
    stable = served.post(bundle("transaction", entry(observation("o1", subject={"reference": "Patient/p1"}))))

    assert unstable.status_code == 422
    assert stable.status_code == 200
