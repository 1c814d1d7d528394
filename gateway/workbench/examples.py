"""Bundles to start from: synthetic, marked as such, each showing one thing. Made when asked for."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from types import MappingProxyType

import orjson

from gateway.synthetic.bundles import stay_bundle
from gateway.synthetic.elements import Json
from gateway.synthetic.faults import FAULTS
from gateway.synthetic.plan import plan_stays
from gateway.synthetic.scene import Hospital

SEED = 1
SEARCHED = 60
Words = tuple[str, str]


def _stay(kind: str, finess: str, *, units: int = 0) -> Json:
    hospital = Hospital(finess)
    for stay in plan_stays(SEED, SEARCHED):
        if stay.kind == kind and len(stay.units) >= units:
            return stay_bundle(SEED, hospital, stay)
    raise LookupError(kind)


def _without_principal_diagnosis(finess: str) -> Json:
    bundle = _stay("ordinary", finess)
    bundle["entry"] = [one for one in bundle["entry"] if not _is_principal(one["resource"])]
    for one in bundle["entry"]:
        one["resource"].pop("diagnosis", None)
    return bundle


def _is_principal(resource: Json) -> bool:
    if resource["resourceType"] != "Condition":
        return False
    return any(coding.get("code") == "DP" for concept in resource["category"] for coding in concept["coding"])


def _wrong_ins(finess: str) -> Json:
    bundle = _stay("ordinary", finess)
    for one in bundle["entry"]:
        if one["resource"]["resourceType"] == "Patient":
            for identifier in one["resource"]["identifier"]:
                if identifier.get("value", "").isdigit() and len(identifier["value"]) == 15:
                    identifier["value"] = identifier["value"][:-2] + f"{(int(identifier['value'][-2:]) % 97) + 1:02d}"
    return bundle


def _faulty(name: str) -> Callable[[str], Json]:
    def made(finess: str) -> Json:
        wrong = copy.deepcopy(_stay("ordinary", finess))
        FAULTS[name](wrong)
        return wrong

    return made


EXAMPLES: Mapping[str, tuple[Words, Callable[[str], Json]]] = MappingProxyType(
    {
        "valid": (("Séjour valide", "Valid stay"), lambda finess: _stay("ordinary", finess)),
        "units": (
            ("Séjour de plusieurs unités", "Stay of several units"),
            lambda finess: _stay("multi-unit", finess, units=2),
        ),
        "wrong-ins": (("Clé de l'INS fausse", "Wrong key of the INS"), _wrong_ins),
        "r5": (("Erreur de R5", "R5 mistake"), _faulty("r5-encounter")),
        "no-dp": (("Diagnostic principal absent", "Missing principal diagnosis"), _without_principal_diagnosis),
        "gender": (("Sexe écrit en français", "Gender in French"), _faulty("french-gender")),
        "open": (("Séjour ouvert", "Open stay"), lambda finess: _stay("open", finess)),
    }
)


def example(name: str, finess: str) -> str:
    """Return the text of an example, for the hospital of the session."""
    return orjson.dumps(EXAMPLES[name][1](finess), option=orjson.OPT_INDENT_2).decode()
