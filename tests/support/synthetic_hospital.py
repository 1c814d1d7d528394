"""The synthetic hospital as views of persons: generated, scrubbed, the latest version of each resource kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import orjson

from gateway.synthetic import rare_claims, rare_results
from gateway.synthetic.bundles import correction_bundle, stay_bundle
from gateway.synthetic.operator_files import operator_files
from gateway.synthetic.plan import Stay, plan_stays
from gateway.synthetic.rare import rare_cases
from gateway.synthetic.rare_case import RareCase
from gateway.synthetic.scene import Hospital, unit_table
from streaming.staging import flags_of
from tests.support.scrubbed import keys, scrubbed
from transformers.contract import POTENTIAL_IDENTIFIERS, Contract, Unit
from transformers.snds.reference import Reference
from transformers.snds.reference_kinds import KINDS
from transformers.snds.reference_tables import read_table, reference
from transformers.snds.view import PersonView, Staged

HOSPITAL = Hospital("750712184")
PERSON = "urn:snds-gateway:person"
RESOURCE = "urn:snds-gateway:resource"
STRUCTURES = frozenset({"Organization", "Location", "Medication", "Specimen", "Account"})


def units(of: Hospital = HOSPITAL) -> dict[str, Unit]:
    """The unit table that `generate` writes."""
    lines = [line.split(",") for line in unit_table(of).splitlines()[1:]]
    return {code: Unit(finess_geo, type1 or None, type2 or None) for code, finess_geo, type1, type2 in lines}


def contract(of: Hospital = HOSPITAL, **changes: Any) -> Contract:
    return Contract(**({"finess": of.finess, "name": "CHU FICTIF", "test": True, "units": units(of)} | changes))


def full_contract(of: Hospital = HOSPITAL) -> Contract:
    """Every switch on, the hospital's own code systems and its code of the IGS II agreed."""
    return contract(
        of,
        code_systems=(*rare_claims.OWN_SYSTEMS, *rare_results.OWN_SYSTEMS),
        severity_codes=(rare_results.IGS2,),
        potential_identifiers=frozenset(POTENTIAL_IDENTIFIERS),
    )


def loaded_reference(of: Hospital = HOSPITAL) -> Reference:
    """What the conversion sees once the generator's operator files are loaded."""
    return reference(read_table(KINDS[name], text) for name, text in operator_files(of).items())


@dataclass(slots=True)
class Gathered:
    """Current resources by key, and which person each is of."""

    resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    finess: str = HOSPITAL.finess

    def add(self, posted: dict[str, Any], with_contract: Contract) -> None:
        self.finess = with_contract.finess
        result = scrubbed(posted, contract=with_contract, with_keys=keys(finess=with_contract.finess))
        assert not result.refused
        for bundle in result.bundles:
            for entry in orjson.loads(bundle.body)["entry"]:
                self._keep(entry["resource"])

    def _keep(self, resource: dict[str, Any]) -> None:
        key = next(one["value"] for one in resource["identifier"] if one["system"] == RESOURCE)
        known = self.resources.get(key)
        if known is None or _stamp(known) <= _stamp(resource):
            self.resources[key] = resource
        if resource["resourceType"] == "Patient":
            own = [one["value"] for one in resource["identifier"] if one["system"] == PERSON]
            for alias in own:
                self.aliases.setdefault(alias, own[0])
            first = self.aliases[own[0]]
            for alias, leader in list(self.aliases.items()):
                if leader in {self.aliases[one] for one in own}:
                    self.aliases[alias] = first

    def views(self) -> Iterator[PersonView]:
        structures = {
            key: _staged(key, one) for key, one in self.resources.items() if one["resourceType"] in STRUCTURES
        }
        persons: dict[str, list[Staged]] = {}
        for key in sorted(self.resources):
            resource = self.resources[key]
            if resource["resourceType"] not in STRUCTURES:
                persons.setdefault(self.aliases[_person(resource)], []).append(_staged(key, resource))
        for person, listed in sorted(persons.items()):
            yield PersonView(self.finess, frozenset({person}), tuple(listed), structures)


def hospital(seed: int, stays: int, *, with_contract: Contract | None = None) -> tuple[list[Stay], list[PersonView]]:
    """The stays as planned, and the persons as the table writer sees them once every bundle has come."""
    planned = list(plan_stays(seed, stays))
    return planned, views_of(planned, seed, with_contract=with_contract or contract())


def rare_hospital(
    seed: int, stays: int, *, rounds: int, with_contract: Contract, of: Hospital = HOSPITAL
) -> tuple[list[Stay], list[RareCase], list[PersonView]]:
    """The stays as planned, each rare case so many times, and the persons once every bundle has come."""
    planned, cases = list(plan_stays(seed, stays)), list(rare_cases(seed, of, rounds=rounds))
    gathered = gathered_of(planned, seed, with_contract=with_contract, of=of)
    for bundle in (bundle for case in cases for bundle in case.bundles):
        gathered.add(bundle, with_contract)
    return planned, cases, list(gathered.views())


def views_of(
    planned: Iterable[Stay], seed: int, *, with_contract: Contract, of: Hospital = HOSPITAL
) -> list[PersonView]:
    """The persons of a hospital that sent these stays."""
    return list(gathered_of(planned, seed, with_contract=with_contract, of=of).views())


def gathered_of(planned: Iterable[Stay], seed: int, *, with_contract: Contract, of: Hospital = HOSPITAL) -> Gathered:
    """What a hospital that sent these stays has now, corrections included."""
    gathered = Gathered()
    for stay in planned:
        gathered.add(stay_bundle(seed, of, stay), with_contract)
        if stay.kind == "corrected":
            gathered.add(correction_bundle(seed, of, stay), with_contract)
    return gathered


def _stamp(resource: dict[str, Any]) -> str:
    return str(resource.get("meta", {}).get("lastUpdated", ""))


def _person(resource: dict[str, Any]) -> str:
    if resource["resourceType"] == "Patient":
        return next(one["value"] for one in resource["identifier"] if one["system"] == PERSON)
    reference = resource.get("subject") or resource.get("patient") or resource["beneficiary"]
    return str(reference["identifier"]["value"])


def _staged(key: str, resource: dict[str, Any]) -> Staged:
    return Staged(key, resource["resourceType"], resource, flags_of(resource))
