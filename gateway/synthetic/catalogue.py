"""`gateway/data/synthetic.toml` → frozen values: what the fictitious hospital treats, measures and gives."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from gateway.synthetic.dice import Span


@dataclass(frozen=True, slots=True)
class Pathway:
    """One reason to come: its diagnoses, acts, units, length and drugs."""

    name: str
    weight: int
    principal: str
    label: str
    associated: tuple[str, ...]
    acts: tuple[str, ...]
    units: tuple[str, ...]
    nights: Span
    age: Span
    admitted_from: str
    discharged_to: str
    drugs: tuple[str, ...]
    sex: str | None = None
    related: str | None = None


@dataclass(frozen=True, slots=True)
class Unit:
    """One functional unit; `site` numbers the geographic site."""

    code: str
    name: str
    site: int
    types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Measure:
    """A laboratory result or a vital sign with usual bounds."""

    loinc: str
    name: str
    unit: str
    printed: str
    low: float
    high: float
    digits: int
    spread: float = 0.0
    profile: str | None = None


@dataclass(frozen=True, slots=True)
class Drug:
    """A drug with its usual dose."""

    atc: str
    ucd: str
    name: str
    dose: float
    unit: str
    daily: int
    route: str


@dataclass(frozen=True, slots=True)
class Place:
    """A commune with its INSEE and postal codes."""

    name: str
    insee: str
    postal: str


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All lists."""

    pathways: tuple[Pathway, ...]
    units: Mapping[str, Unit]
    laboratory: tuple[Measure, ...]
    vitals: tuple[Measure, ...]
    drugs: Mapping[str, Drug]
    places: tuple[Place, ...]

    def pathway(self, name: str) -> Pathway:
        """Return one pathway by its name."""
        return next(one for one in self.pathways if one.name == name)


@cache
def catalogue() -> Catalogue:
    """Read the packaged lists."""
    content = tomllib.loads((files("gateway") / "data" / "synthetic.toml").read_text(encoding="utf-8"))
    return Catalogue(
        pathways=tuple(_pathway(entry) for entry in content["pathway"]),
        units={code: Unit(code, e["name"], e["site"], tuple(e["types"])) for code, e in content["unit"].items()},
        laboratory=tuple(_measure(loinc, entry) for loinc, entry in content["laboratory"].items()),
        vitals=tuple(_measure(loinc, entry) for loinc, entry in content["vital"].items()),
        drugs={name: _drug(entry) for name, entry in content["drug"].items()},
        places=tuple(Place(name, *codes) for name, codes in content["place"].items()),
    )


def _pathway(entry: dict[str, object]) -> Pathway:
    def texts(name: str) -> tuple[str, ...]:
        values = entry[name]
        assert isinstance(values, list)
        return tuple(str(value) for value in values)

    def span(name: str) -> Span:
        values = entry[name]
        assert isinstance(values, list)
        return Span(int(values[0]), int(values[1]))

    def optional(name: str) -> str | None:
        return str(entry[name]) if name in entry else None

    return Pathway(
        name=str(entry["name"]),
        weight=int(str(entry["weight"])),
        principal=str(entry["principal"]),
        label=str(entry["label"]),
        associated=texts("associated"),
        acts=texts("acts"),
        units=texts("units"),
        nights=span("nights"),
        age=span("age"),
        admitted_from=str(entry["from"]),
        discharged_to=optional("to") or "home",
        drugs=texts("drugs"),
        sex=optional("sex"),
        related=optional("related"),
    )


def _measure(loinc: str, entry: dict[str, object]) -> Measure:
    profile = entry.get("profile")
    return Measure(
        loinc=loinc,
        name=str(entry["name"]),
        unit=str(entry["unit"]),
        printed=str(entry["printed"]),
        low=float(str(entry["low"])),
        high=float(str(entry["high"])),
        digits=int(str(entry["digits"])),
        spread=float(str(entry.get("spread", 0))),
        profile=str(profile) if profile else None,
    )


def _drug(entry: dict[str, object]) -> Drug:
    return Drug(
        atc=str(entry["atc"]),
        ucd=ucd13(str(entry["ucd"])),
        name=str(entry["name"]),
        dose=float(str(entry["dose"])),
        unit=str(entry["unit"]),
        daily=int(str(entry["daily"])),
        route=str(entry["route"]),
    )


def ucd13(ucd7: str) -> str:
    """Return the 13 digits of a UCD number: 34008, the seven digits, the EAN key."""
    return _with_key(f"34008{ucd7}")


def cip13(cip7: str) -> str:
    """Return the 13 digits of a CIP number: 34009, the seven digits, the EAN key."""
    return _with_key(f"34009{cip7}")


def _with_key(digits: str) -> str:
    weighted = sum(int(digit) * (3 if index % 2 else 1) for index, digit in enumerate(digits))
    return f"{digits}{-weighted % 10}"
