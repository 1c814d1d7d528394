"""Scene → Patient, Practitioner, Coverage. Pure."""

from __future__ import annotations

from gateway.synthetic.catalogue import Place
from gateway.synthetic.elements import (
    COMMUNE,
    FR_V2_0203,
    FRC,
    HOME,
    NOS,
    THO,
    V2_0203,
    Json,
    coding,
    concept,
    date_time,
    french_date,
    identifier,
    narrative,
)
from gateway.synthetic.people import Person
from gateway.synthetic.scene import Scene, printed_name

INS_TEST = "urn:oid:1.2.250.1.213.1.4.10"
NSS = f"{HOME}nir-fictif"
INSEE = f"{FRC}StructureDefinition/fr-core-address-insee-code"
BIRTH_NAMES = f"{FRC}StructureDefinition/fr-core-patient-birth-list-given-name"
RELIABILITY = f"{FRC}StructureDefinition/fr-core-identity-reliability"
CATEGORY = f"{FRC}StructureDefinition/fr-core-patient-contact-relationship-category"
BIRTH_PLACE = "http://hl7.org/fhir/StructureDefinition/patient-birthPlace"
PI = coding(V2_0203, "PI", "Patient internal identifier")


def patient(scene: Scene) -> Json:
    """Return the Patient: fr-core-patient-ins with an INS, fr-core-patient without."""
    person = scene.person
    return {
        "resourceType": "Patient",
        "id": scene.id("Patient", f"pat-{person.number}"),
        "meta": scene.meta("fr-core-patient-ins" if person.nir else "fr-core-patient"),
        "text": narrative(
            f"{printed_name(person)}, {'né' if person.sex == 'male' else 'née'} le {french_date(person.born)}"
            f" à {person.birth_place.name}.",
            f"IPP {person.ipp}. Domicile : {person.street}, {person.home.postal} {person.home.name}.",
        ),
        "extension": [
            {"url": BIRTH_PLACE, "valueAddress": _address(person.birth_place, country="FRA")},
            {
                "url": RELIABILITY,
                "extension": [
                    {
                        "url": "identityStatus",
                        "valueCoding": coding(FRC + "CodeSystem/fr-core-cs-v2-0445", "VALI" if person.nir else "PROV"),
                    }
                ],
            },
        ],
        "identifier": _identifiers(person),
        "active": True,
        "name": _names(person),
        "telecom": [
            {"system": "phone", "value": person.phone, "use": "mobile", "rank": 1},
            {"system": "email", "value": f"{person.ipp.lower()}@courriel.example", "use": "home", "rank": 2},
        ],
        "gender": person.sex,
        "birthDate": person.born.isoformat(),
        **({"deceasedDateTime": date_time(person.deceased)} if person.deceased else {"deceasedBoolean": False}),
        "address": [
            {"use": "home", "type": "both"}
            | _address(person.home, country="FRA")
            | {"line": [person.street], "postalCode": person.home.postal}
        ],
        "maritalStatus": concept(
            coding(THO + "v3-MaritalStatus", *(("M", "Married") if person.married else ("S", "Never Married")))
        ),
        "contact": [_contact(scene)],
        "generalPractitioner": [scene.practitioner()],
        "managingOrganization": scene.reference("Organization", "org-ej", display=scene.hospital.name),
    }


def practitioner(scene: Scene) -> Json:
    """Return the doctor who signs."""
    doctor = scene.doctor
    return {
        "resourceType": "Practitioner",
        "id": f"prat-{doctor.number}",
        "meta": scene.meta("fr-core-practitioner", at=scene.stay.start.replace(month=1, day=2)),
        "text": narrative(f"{doctor.name}, RPPS {doctor.number}."),
        "identifier": [
            identifier(coding(FR_V2_0203, "RPPS"), "https://rpps.esante.gouv.fr", doctor.number, use="official"),
            identifier(coding(FR_V2_0203, "IDNPS"), "urn:oid:1.2.250.1.71.4.2.1", f"8{doctor.number}", use="official"),
        ],
        "active": True,
        "name": [{"use": "official", "family": doctor.family, "given": [doctor.given], "prefix": ["DR"]}],
        "telecom": [{"system": "phone", "value": "01 99 00 00 00", "use": "work"}],
    }


def coverage(scene: Scene) -> Json:
    """Return the Coverage that gives the insured's number: a parent's for a child."""
    insured = scene.stay.insured or scene.person
    own = insured == scene.person
    return {
        "resourceType": "Coverage",
        "id": scene.id("Coverage", f"cov-{scene.person.number}"),
        "meta": scene.meta(),
        "text": narrative(f"Assurance maladie obligatoire de {printed_name(scene.person)}."),
        "identifier": [
            {"use": "official", "type": {"coding": [coding(V2_0203, "NH")]}, "system": NSS, "value": insured.nir or ""}
        ],
        "status": "active",
        "type": concept(coding(THO + "v3-ActCode", "PUBLICPOL", "public healthcare"), text="Assurance maladie"),
        "subscriberId": insured.nir or "",
        "beneficiary": scene.subject(),
        "relationship": concept(coding(THO + "subscriber-relationship", "self" if own else "child")),
        "period": {"start": f"{scene.stay.start.year}-01-01"},
        "payor": [{"identifier": {"system": "urn:oid:1.2.250.1.215.100.1", "value": "01751000"}, "display": "CPAM"}],
    }


def _identifiers(person: Person) -> list[Json]:
    own = identifier(PI, f"{HOME}ipp", person.ipp, use="usual") | {
        "assigner": {"reference": "Organization/org-ej", "type": "Organization"}
    }
    if person.nir is None:
        return [own]
    return [identifier(coding(FR_V2_0203, "INS-NIR-TEST"), INS_TEST, person.nir, use="official"), own]


def _names(person: Person) -> list[Json]:
    return [
        {
            "extension": [{"url": BIRTH_NAMES, "valueString": " ".join(person.given)}],
            "use": "official",
            "family": person.family,
            "given": [person.given[0]],
        },
        {"use": "usual", "text": printed_name(person), "family": person.family, "given": list(person.given)},
    ]


def _address(place: Place, *, country: str) -> Json:
    return {
        "extension": [{"url": INSEE, "valueCoding": coding(COMMUNE, place.insee, place.name)}],
        "city": place.name,
        "country": country,
    }


def _contact(scene: Scene) -> Json:
    def relationship(category: str, system: str, code: str, display: str) -> Json:
        return {
            "extension": [{"url": CATEGORY, "valueCode": category}],
            "coding": [coding(NOS + system, code, display)],
        }

    return {
        "relationship": [
            relationship(
                "role",
                "TRE_R260-HL7RoleClass/FHIR/TRE-R260-HL7RoleClass",
                "ECON",
                "Personne à prévenir en cas d'urgence",
            ),
            relationship("relationType", "TRE_R216-HL7RoleCode/FHIR/TRE-R216-HL7RoleCode", "MTH", "Mère"),
        ],
        "name": {"use": "official", "family": scene.person.family, "given": ["PROCHE"]},
        "telecom": [{"system": "phone", "value": scene.person.phone, "use": "mobile"}],
    }
