"""Bodies full of canaries: every type of the rules filled from the definitions, whole stays, and harmed ones (P13)."""

from __future__ import annotations

import base64
import random
import re
from collections.abc import Iterator
from typing import Any

import orjson

from fhir_profiles.validator import Validator
from gateway.synthetic.bundles import workload
from tests.support.canary import Tokens
from tests.support.filled import Filler
from transformers.deidentify.elements import Element, Elements

Json = dict[str, Any]
XHTML = "http://www.w3.org/1999/xhtml"
STEP = re.compile(r"\.?(?:ofType\((\w+)\)|(\w+))(?:\[(\d+)\])?")
UCUM = "http://unitsofmeasure.org"
HL7 = "http://terminology.hl7.org/CodeSystem/"
# Codes of closed lists that the definitions bind to concepts: any other is refused.
CLOSED = {
    ("AllergyIntolerance", "clinicalStatus"): (f"{HL7}allergyintolerance-clinical", "active"),
    ("AllergyIntolerance", "verificationStatus"): (f"{HL7}allergyintolerance-verification", "confirmed"),
    ("Condition", "clinicalStatus"): (f"{HL7}condition-clinical", "resolved"),
    ("Condition", "verificationStatus"): (f"{HL7}condition-ver-status", "confirmed"),
    ("Patient", "communication.language"): ("urn:ietf:bcp:47", "fr"),
}
CODES = {"language": "fr", "currency": "EUR", "contentType": "application/pdf", "use": "work"}
UNITS = {"Age": "a", "Duration": "h", "Quantity": "mg"}


class ValidFiller(Filler):
    """Fills every element with values of the right form; a token stands wherever a text, id, key or url may be."""

    def __init__(self, elements: Elements, token: Tokens) -> None:
        super().__init__(elements)
        self._token = token

    def token(self) -> str:
        return self._token()

    def _object(self, name: str, path: str, depth: int) -> Json:
        made = super()._object(name, path, depth)
        for key in [one for one in made if one.startswith("_")]:
            if key[1:] not in made:
                del made[key]
            elif isinstance(made[key[1:]], list):
                made[key] = [made[key]]
        if name == "Range" and "low" in made:
            made["high"]["value"] = 2 * made["low"]["value"]
            for bound in ("low", "high"):
                del made[bound]["comparator"], made[bound]["_comparator"]
        if name in UNITS:
            made |= {"system": UCUM, "code": UNITS[name]}
        return made

    def _value(self, name: str, path: str, element: Element, depth: int) -> Any:
        kind = element.type
        if (name, path) in CLOSED:
            system, code = CLOSED[name, path]
            return {"coding": [{"system": system, "code": code, "display": self.token()}], "text": self.token()}
        last = path.rpartition(".")[2]
        if kind == "code" and last in CODES and (last != "use" or name == "ContactPoint"):
            return CODES[last]
        if kind == "Extension":
            return self._extension() if last == "extension" else None
        if kind == "Resource":
            return {
                "resourceType": "Basic",
                "id": self.token(),
                "code": {"text": self.token()},
                "subject": {"reference": "#"},
            }
        if kind == "Narrative":
            return {
                "status": "generated",
                "div": f'<div xmlns="{XHTML}"><p title="{self.token()}">{self.token()}</p></div>',
            }
        if kind == "base64Binary":
            return base64.b64encode(self.token().encode()).decode()
        if kind in ("uri", "url", "canonical"):
            return f"https://{self.token()}.example/{self.token()}?{self.token()}={self.token()}#{self.token()}"
        if kind in ("oid", "uuid") or path == "repeat.timeOfDay":
            return None  # digits alone: no text fits; never beside `when`
        return super()._value(name, path, element, depth)

    def _extension(self) -> Json:
        inner = {"url": self.token(), "valueString": self.token(), "_valueString": {"id": self.token()}}
        return {"id": self.token(), "url": f"https://{self.token()}.example/{self.token()}", "extension": [inner]}


TEXTS = frozenset(
    {"display", "text", "family", "given", "prefix", "city", "line", "title", "comment", "unit", "name", "postalCode"}
)


def whole_types(validator: Validator, elements: Elements, names: Iterator[str], token: Tokens) -> Iterator[Json]:
    """A batch a type: resources with every element, one for each value of its largest choice, all of them valid."""
    for name in names:
        turns, entries = 1, []
        while len(entries) < turns:
            resource = ValidFiller(elements, token).resource(name) | {"id": token()}
            turns = max(turns, valid(validator, resource, len(entries)))
            request = {"method": "PUT", "url": f"{name}/{resource['id']}"}
            entries.append({"resource": resource, "request": request})
        yield {"resourceType": "Bundle", "type": "batch", "id": token(), "entry": entries}


def valid(validator: Validator, resource: Json, turn: int) -> int:
    """Keep one value of each choice, the `turn`-th; return how many the largest has. AssertionError: still wrong."""
    most = 1
    while wrong := [one for one in validator.validate_resource(resource, french_profiles="declared") if one.blocks]:
        others = [one for one in wrong if one.code != "choice-multiple"]
        choices = [one for one in wrong if one.code == "choice-multiple"]
        assert choices, (resource["resourceType"], [(one.code, one.expression, one.rule) for one in others])
        for one in choices:
            stem = one.params["element"].removesuffix("[x]")
            most = max(most, _choose(_at(resource, one.expression), stem, turn))
        for node in (resource, *resource.get("component", ())):
            _without_reason(node, turn)
    return most


def _without_reason(node: Json, turn: int) -> None:
    """A value or the reason of its absence (obs-6): the first turn has the reason."""
    values = [key for key in node if key.lstrip("_").startswith("value")]
    if "dataAbsentReason" in node and values:
        for key in values if turn == 0 else ["dataAbsentReason"]:
            del node[key]


def _choose(node: Json, stem: str, turn: int) -> int:
    kept = [key for key in node if key.startswith(stem) and key[len(stem)].isupper()]
    for key in kept:
        if key != kept[turn % len(kept)]:
            node.pop(key)
            node.pop(f"_{key}", None)
    return len(kept)


def _at(resource: Json, expression: str) -> Any:
    """The node of a FHIRPath that the gateway gives: names, indices, types of choices."""
    node: Any = resource
    stem = ""
    for kind, name, index in STEP.findall(expression.partition(".")[2]):
        stem = f"{stem}{kind[0].upper()}{kind[1:]}" if kind else name
        if stem not in node:
            continue  # the name of a choice: its type follows
        node = node[stem][int(index)] if index else node[stem]
    return node


def laden_stays(token: Tokens) -> Iterator[Json]:
    """Whole stays of a hospital with a token in every text, number, local id, url, narrative and extension."""
    for posted in workload(11, 3):
        yield _laden(orjson.loads(posted), token)


def _laden(posted: Json, token: Tokens) -> Json:
    ids = {entry["resource"]["id"]: token() for entry in posted["entry"]}
    bundle: Json = _renamed(posted, ids, token)
    for entry in bundle["entry"]:
        resource = entry["resource"]
        resource["meta"]["source"] = f"https://dpi.example/{token()}"
        resource["text"]["div"] = resource["text"]["div"].replace("<p>", f"<p>{token()} ")
        if resource["resourceType"] == "Patient":
            data = base64.b64encode(f"{token()} photo".encode()).decode()
            resource["photo"] = [{"contentType": "image/png", "data": data, "title": token()}]
            resource["_gender"] = {"extension": [{"url": f"https://ext.example/{token()}", "valueString": token()}]}
    return bundle | {"id": token(), "identifier": {"system": f"https://lots.example/{token()}", "value": token()}}


def _renamed(node: Any, ids: dict[str, str], token: Tokens, key: str = "") -> Any:
    if isinstance(node, dict):
        own = {name: _renamed(value, ids, token, name) for name, value in node.items()}
        number = isinstance(own.get("value"), str) and isinstance(own.get("system"), str)
        if number and "finess" not in own["system"] and "213.1.4" not in own["system"]:
            own["value"] = token()
        return own
    if isinstance(node, list):
        return [_renamed(one, ids, token, key) for one in node]
    if not isinstance(node, str):
        return node
    if key in TEXTS and node not in ("generated",):
        return token()
    for before, after in ids.items():
        if node == before or node.endswith(f"/{before}"):
            return node[: len(node) - len(before)] + after
    return node


def spoiled(node: Any, dice: random.Random, token: Tokens) -> Any:
    """Change a few places: a text for a number, an unknown name, a missing element, a list for an object."""
    if dice.random() < 0.04:
        return dice.choice([token(), [token()], {token(): token()}, 12, None, True, {"reference": token()}])
    if isinstance(node, dict):
        kept = {name: spoiled(value, dice, token) for name, value in node.items() if dice.random() > 0.03}
        return kept | ({token(): token()} if dice.random() < 0.05 else {})
    if isinstance(node, list):
        return [spoiled(one, dice, token) for one in node]
    return node
