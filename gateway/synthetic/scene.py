"""What every resource of one bundle shares: the hospital, the stay, ids and the way to refer to each other. Pure."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.synthetic.catalogue import Unit, catalogue
from gateway.synthetic.dice import Dice
from gateway.synthetic.elements import CONFIDENTIAL, FRC, HOME, HTEST, Json, instant
from gateway.synthetic.people import Person, family_name, given_name
from gateway.synthetic.plan import Stay


@dataclass(frozen=True, slots=True)
class Hospital:
    """The fictitious hospital: its legal FINESS and the numbers of its two sites."""

    finess: str
    name: str = "CHU Fictif"

    @property
    def sites(self) -> tuple[str, str]:
        """Return two geographic FINESS with a right key, of the department of the legal one."""
        return with_key(f"{self._department}999901"), with_key(f"{self._department}999902")

    @property
    def elsewhere(self) -> str:
        """Return the FINESS of another fictitious hospital."""
        return with_key(f"{self._department}999977")

    def site_of(self, unit: Unit) -> str:
        """Return the geographic FINESS of a unit."""
        return self.sites[unit.site - 1]

    @property
    def _department(self) -> str:
        return self.finess[:2] if self.finess[:2].isdigit() else "20"


@dataclass(frozen=True, slots=True)
class Doctor:
    """A practitioner with a fictitious RPPS number."""

    number: str
    family: str
    given: str

    @property
    def name(self) -> str:
        """Return the name as it is printed."""
        return f"Dr {self.given.title()} {self.family}"


@dataclass(frozen=True, slots=True)
class Scene:
    """One bundle in the making. `posted` bundles use POST and urn:uuid, the others PUT and RESTful ids."""

    seed: int
    hospital: Hospital
    stay: Stay
    dice: Dice
    posted: bool = False
    version: int = 1
    doctor: Doctor = field(default_factory=lambda: Doctor("", "", ""))

    @property
    def person(self) -> Person:
        """Return who the bundle is about."""
        return self.stay.person

    @property
    def updated(self) -> datetime:
        """Return when the hospital's system wrote this version."""
        return self.stay.known_until + timedelta(hours=2, days=40 * (self.version - 1))

    def id(self, kind: str, name: str) -> str:
        """Return the RESTful id of a resource, or its urn:uuid in a posted bundle."""
        if self.posted and kind not in ("Organization", "Practitioner"):
            drawn = Dice(self.seed, "uuid", kind, name)
            return str(uuid.UUID(int=drawn.below(1 << 128), version=4))
        return name

    def reference(self, kind: str, name: str, *, display: str | None = None) -> Json:
        """Return a Reference to a resource of this bundle."""
        own = self.id(kind, name)
        target = f"urn:uuid:{own}" if own != name else f"{kind}/{name}"
        return {"reference": target, "type": kind} | ({"display": display} if display else {})

    def meta(self, *profiles: str, at: datetime | None = None) -> Json:
        """Return a Meta: version, instant, profiles of FR Core, and the mark of test data."""
        urls = [url if url.startswith("http") else f"{FRC}StructureDefinition/{url}" for url in profiles]
        return {
            "versionId": str(self.version),
            "lastUpdated": instant(at or self.updated),
            "source": f"{HOME}dpi",
            **({"profile": urls} if urls else {}),
            "security": [CONFIDENTIAL],
            "tag": [HTEST],
        }

    def subject(self) -> Json:
        """Return the reference to the patient."""
        return self.reference("Patient", f"pat-{self.person.number}", display=printed_name(self.person))

    def encounter(self) -> Json:
        """Return the reference to the stay."""
        return self.reference("Encounter", f"enc-{self.stay.number:06d}", display=f"Séjour n° {self.stay.visit}")

    def practitioner(self) -> Json:
        """Return the reference to the doctor."""
        return self.reference("Practitioner", f"prat-{self.doctor.number}", display=self.doctor.name)


def make_scene(seed: int, hospital: Hospital, stay: Stay, *, version: int = 1) -> Scene:
    """Return the scene of one version of a stay."""
    dice = Dice(seed, "bundle", stay.number, version)
    chosen = Dice(seed, "doctor", stay.number % 40)
    doctor = Doctor(
        f"{10_100_000_000 + seed % 1000 * 100 + stay.number % 40}", family_name(chosen), given_name(chosen, "female")
    )
    return Scene(seed, hospital, stay, dice, posted=stay.kind == "posted", version=version, doctor=doctor)


def printed_name(person: Person) -> str:
    """Return the name as it is printed."""
    return f"{person.given[0].title()} {person.family}"


def unit_table(hospital: Hospital) -> str:
    """Return the CSV that `hospital units` takes."""
    lines = ["unit,finess_geo,type1,type2"]
    for unit in catalogue().units.values():
        types = (*unit.types, "", "")[:2]
        lines.append(",".join((unit.code, hospital.site_of(unit), *types)))
    return "\n".join(lines) + "\n"


def with_key(eight: str) -> str:
    """Add its Luhn key to eight digits."""
    total = 0
    for index, digit in enumerate(eight):
        doubled = int(digit) * (2 if index % 2 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return f"{eight}{-total % 10}"
