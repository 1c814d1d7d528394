"""StructureDefinition (JSON) → frozen rules: what the compiler knows of an element, and nothing else.

Reads published definitions only, never a posted value. Promise: the same definition gives the same rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]

FHIR_TYPE = "http://hl7.org/fhir/StructureDefinition/structuredefinition-fhir-type"
MAX_VALUE_SET = "http://hl7.org/fhir/StructureDefinition/elementdefinition-maxValueSet"
CORE = "http://hl7.org/fhir/StructureDefinition/"
SYSTEM_TYPES = "http://hl7.org/fhirpath/System."
MANY = 1 << 30


@dataclass(frozen=True, slots=True)
class TypeRef:
    """One allowed type of an element: its FHIR name, the profiles of it, the profiles of what a reference names."""

    code: str
    profiles: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Binding:
    """A bound value set; `maximum` is the value set that even an extensible binding never leaves."""

    strength: str
    value_set: str | None
    maximum: str | None = None


@dataclass(frozen=True, slots=True)
class Constraint:
    """An invariant; `best_practice` ones are advice."""

    key: str
    severity: str
    expression: str
    best_practice: bool = False


@dataclass(frozen=True, slots=True)
class Discriminator:
    """How slices are told apart: type (value, pattern, exists, type, profile) and path."""

    type: str
    path: str


@dataclass(frozen=True, slots=True)
class Slicing:
    """The slicing of an element: discriminators, open / closed / openAtEnd, ordered."""

    discriminators: tuple[Discriminator, ...]
    rules: str
    ordered: bool


@dataclass(frozen=True, slots=True)
class Value:
    """A fixed or pattern value: its FHIR type and its JSON."""

    type: str
    json: Any


@dataclass(frozen=True, slots=True)
class Element:
    """One line of a snapshot. `path` has no slice names; `id` has (`Patient.identifier:INS-NIR.use`)."""

    id: str
    path: str
    minimum: int
    maximum: int
    base_maximum: int | None = None
    types: tuple[TypeRef, ...] = ()
    slice_name: str | None = None
    slicing: Slicing | None = None
    binding: Binding | None = None
    fixed: Value | None = None
    pattern: Value | None = None
    constraints: tuple[Constraint, ...] = ()
    content_reference: str | None = None
    max_length: int | None = None
    min_value: Value | None = None
    max_value: Value | None = None
    modifier: bool = False

    @property
    def name(self) -> str:
        """Return the last word of the path: `use`, `value[x]`."""
        return self.path.rpartition(".")[2]

    @property
    def is_choice(self) -> bool:
        """Say whether the element is `something[x]`."""
        return self.path.endswith("[x]")


@dataclass(frozen=True, slots=True)
class Structure:
    """A StructureDefinition with its snapshot; `ignored` names the lines that its snapshot could not take."""

    url: str
    version: str
    type: str
    kind: str
    abstract: bool
    derivation: str
    base: str | None
    contexts: tuple[tuple[str, str], ...]
    elements: tuple[Element, ...]
    ignored: tuple[str, ...] = ()

    @property
    def is_profile(self) -> bool:
        """Say whether it constrains a type, rather than making one."""
        return self.derivation == "constraint"


def structure(resource: Json) -> Structure:
    """Read a StructureDefinition that has a snapshot. Raises KeyError when an essential part is missing."""
    return Structure(
        url=resource["url"],
        version=resource.get("version", ""),
        type=short_type(resource["type"]),
        kind=resource["kind"],
        abstract=bool(resource.get("abstract")),
        derivation=resource.get("derivation", "specialization"),
        base=resource.get("baseDefinition"),
        contexts=tuple((one["type"], one["expression"]) for one in resource.get("context", ())),
        elements=tuple(element(one) for one in resource["snapshot"]["element"]),
        ignored=tuple(resource["snapshot"].get("ignored", ())),
    )


def element(raw: Json) -> Element:
    """Read one ElementDefinition."""
    identity = raw.get("id") or raw["path"]
    base = raw.get("base")
    return Element(
        id=identity,
        path=path_of(identity),
        minimum=raw.get("min", 0),
        maximum=limit(raw.get("max", "*")),
        base_maximum=limit(base["max"]) if base else None,
        types=_types(raw, base),
        slice_name=raw.get("sliceName"),
        slicing=_slicing(raw.get("slicing")),
        binding=_binding(raw.get("binding")),
        fixed=_value(raw, "fixed"),
        pattern=_value(raw, "pattern"),
        constraints=tuple(_constraint(one) for one in raw.get("constraint", ()) if one.get("expression")),
        content_reference=raw.get("contentReference"),
        max_length=raw.get("maxLength"),
        min_value=_value(raw, "minValue"),
        max_value=_value(raw, "maxValue"),
        modifier=bool(raw.get("isModifier")),
    )


def _types(raw: Json, base: Json | None) -> tuple[TypeRef, ...]:
    if base and base.get("path") == "Resource.id":  # R4 4.0.1 calls it a string; the specification says id
        return (TypeRef("id"),)
    return tuple(type_ref(one) for one in raw.get("type", ()))


def path_of(identity: str) -> str:
    """Drop the slice names of an element id."""
    return ".".join(part.partition(":")[0] for part in identity.split("."))


def limit(text: str) -> int:
    """Read a maximum cardinality."""
    return MANY if text == "*" else int(text)


def type_ref(raw: Json) -> TypeRef:
    """Read one type; System.String and its like become the FHIR primitive that they stand for."""
    code = raw["code"]
    if code.startswith(SYSTEM_TYPES):
        code = next(
            (one.get("valueUrl") or one.get("valueUri") for one in raw.get("extension", ()) if one["url"] == FHIR_TYPE),
            "string",
        )
    return TypeRef(short_type(code), tuple(raw.get("profile", ())), tuple(raw.get("targetProfile", ())))


def short_type(code: str) -> str:
    """Drop the canonical part of a core type: `http://hl7.org/fhir/StructureDefinition/Patient` → `Patient`."""
    return code.removeprefix(CORE)


def unversioned(canonical: str) -> str:
    """Drop `|version` of a canonical."""
    return canonical.partition("|")[0]


def _slicing(raw: Json | None) -> Slicing | None:
    if raw is None:
        return None
    return Slicing(
        tuple(Discriminator(one["type"], one["path"]) for one in raw.get("discriminator", ())),
        raw.get("rules", "open"),
        bool(raw.get("ordered")),
    )


def _binding(raw: Json | None) -> Binding | None:
    if raw is None:
        return None
    maximum = None
    for extension in raw.get("extension", ()):
        if extension["url"] == MAX_VALUE_SET:
            maximum = extension.get("valueCanonical") or extension.get("valueUri")
    return Binding(raw["strength"], raw.get("valueSet"), maximum)


def _value(raw: Json, prefix: str) -> Value | None:
    for key in raw:
        if key.startswith(prefix) and len(key) > len(prefix):
            name = key[len(prefix) :]
            primitive = name[0].lower() + name[1:]
            return Value(primitive if not isinstance(raw[key], dict) else name, raw[key])
    return None


def _constraint(raw: Json) -> Constraint:
    return Constraint(raw["key"], raw["severity"], raw["expression"], bool(raw.get("bestPractice")))
