"""Client libraries that hospitals' developers use, against a real gateway: they send, and they read the answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fhirclient.models.bundle import Bundle
from fhirclient.models.patient import Patient
from fhirclient.server import FHIRServer, FHIRUnauthorizedException
from fhirpy import SyncFHIRClient
from fhirpy.base.exceptions import OperationOutcome

from tests.support.installation import Installation
from tests.support.posted import bundle, patient, put

pytestmark = pytest.mark.slow

Json = dict[str, Any]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    home = tmp_path_factory.mktemp("clients") / "data"
    installation = Installation(home, "--test-identities", "--french-profiles", "declared")
    with installation.serving():
        yield installation


def good(number: str) -> Json:
    return patient(number, gender="female", birthDate="1960-02-29")


def fhirpy_client(served: Installation) -> SyncFHIRClient:
    return SyncFHIRClient(f"{served.url}/fhir", authorization=f"Bearer {served.key()}")


def fhirclient_server(served: Installation, key: str) -> FHIRServer:
    server = FHIRServer(None, base_uri=f"{served.url}/fhir")
    server.session.headers["Authorization"] = f"Bearer {key}"
    return server


def test_fhirpy_sends_a_bundle_to_the_base_and_reads_the_response(served: Installation) -> None:
    sent = bundle("transaction", put(good("py-1"), fullUrl="https://his.example/fhir/Patient/py-1"))

    answer = fhirpy_client(served).execute("", method="post", data=sent)

    assert answer["resourceType"] == "Bundle"
    assert [entry["response"]["status"] for entry in answer["entry"]] == ["202 Accepted"]


def test_fhirpy_saves_and_deletes_one_resource(served: Installation) -> None:
    client = fhirpy_client(served)
    one = client.resource("Patient", **{name: value for name, value in good("py-2").items() if name != "resourceType"})

    one.save()

    assert client.execute("Patient/py-2", method="delete")["resourceType"] == "OperationOutcome"


def test_fhirpy_validates_and_raises_the_outcome_of_a_refusal(served: Installation) -> None:
    client = fhirpy_client(served)
    wrong = client.resource("Patient", id="py-3", gender="homme")

    assert not wrong.is_valid()
    with pytest.raises(OperationOutcome, match="gender"):
        wrong.save()


def test_fhirpy_reads_what_the_gateway_can_do(served: Installation) -> None:
    statement = fhirpy_client(served).execute("metadata", method="get")

    assert statement["fhirVersion"] == "4.0.1"


def test_fhirclient_creates_updates_and_sends_bundles(served: Installation) -> None:
    server = fhirclient_server(served, served.key())
    identifier = {
        "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "PI"}]},
        "system": "urn:oid:1.2.250.1.71.4.2.2.750712184.1", "value": "IPP-1",
    }  # fmt: skip

    created = Patient({"resourceType": "Patient", "identifier": [identifier]}).create(server)
    updated = Patient(good("client-1")).update(server)
    posted = server.post_json("", Bundle(bundle("transaction", put(good("client-2")))).as_json())

    assert (created["resourceType"], updated["resourceType"]) == ("OperationOutcome", "OperationOutcome")
    assert (posted.status_code, posted.json()["type"]) == (200, "transaction-response")


def test_fhirclient_knows_an_unknown_key(served: Installation) -> None:
    with pytest.raises(FHIRUnauthorizedException):
        Patient(good("client-3")).update(fhirclient_server(served, "sgk_00000000_" + "A" * 43))
