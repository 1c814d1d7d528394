"""The visits of a person together: what each one is, which emergency visits led to an admission, where events belong.

Pure. Verdicts of single visits are made by `stays`; joining comes first, since a joined visit has no verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol

from transformers.snds.contents import Content
from transformers.snds.elements import Json
from transformers.snds.emergencies import joined_admissions
from transformers.snds.external import is_external
from transformers.snds.placing import NO_STAY, Place, Placing
from transformers.snds.stays import Judge, Stay, Verdict, is_emergency, is_stay
from transformers.snds.visits import Visit, Visits

NO_STAY_OF_ITS_OWN = Verdict("none")


class Numbered(Protocol):
    """A stay that has its number."""

    @property
    def stay(self) -> Stay:
        """Return the stay."""
        ...

    @property
    def rsa_num(self) -> str:
        """Return its number."""
        ...


@dataclass(frozen=True, slots=True, repr=False)
class Course:
    """The visits of a person, what each one is, and which emergency visits led to which admission."""

    visits: Visits
    contents: Mapping[str, Content]
    verdicts: Mapping[str, Verdict]
    joined: Mapping[str, Visit]

    def __repr__(self) -> str:
        return f"Course({len(self.verdicts)} visits)"

    @property
    def outpatients(self) -> list[tuple[Visit, Content]]:
        """Return the visits that are no stay and belong to none, with their contents."""
        return [
            (visit, self.contents[visit.key])
            for visit in self.visits.visits
            if self.verdicts[visit.key] is NO_STAY_OF_ITS_OWN and visit.key not in self.joined and is_external(visit)
        ]


def find_course(visits: Visits, contents: Mapping[str, Content], judge: Judge) -> Course:
    """Join the emergency visits, then judge every stay."""
    stays = [visit for visit in visits.visits if is_stay(visit, contents[visit.key])]
    admissions = [visit for visit in stays if not is_emergency(visit)]
    joined = joined_admissions([visit for visit in visits.visits if is_emergency(visit)], admissions, visits)
    led: dict[str, list[Visit]] = {}
    for visit in visits.visits:
        if visit.key in joined:
            led.setdefault(joined[visit.key].key, []).append(visit)
            _lend(contents[visit.key], contents[joined[visit.key].key])
    verdicts: dict[str, Verdict] = {visit.key: NO_STAY_OF_ITS_OWN for visit in visits.visits}
    for visit in stays:
        if visit.key not in joined:
            before = tuple(led.get(visit.key, ()))
            verdicts[visit.key] = judge.verdict(visit, contents[visit.key], emergency=before)
    return Course(visits, contents, verdicts, joined)


def _lend(emergency: Content, admission: Content) -> None:
    """Give an admission what was coded in the emergency department before it: acts, and associated diagnoses."""
    admission.acts += [act._replace(unit=None) for act in emergency.acts]
    admission.coded += [one._replace(unit=None, emergency=True) for one in emergency.coded]
    admission.refused += emergency.refused


def placing_of(course: Course, written: Mapping[str, Numbered]) -> Placing:
    """Return what places a clinical event: its stay, none at all, or None while its stay is not written."""
    places: dict[str, Place | None] = {}
    for key, verdict in course.verdicts.items():
        admission = course.joined.get(key)
        one = written.get(admission.key if admission else key)
        if one is not None:
            stay = one.stay
            places[key] = Place(
                stay.visit.key, one.rsa_num, stay.year, stay.entry, stay.exit, joined=admission is not None
            )
        elif admission is not None or verdict is not NO_STAY_OF_ITS_OWN:
            places[key] = None
        else:
            places[key] = NO_STAY
    visits = course.visits

    def place(resource: Json) -> Place | None:
        reference = resource.get("encounter") or resource.get("context")
        if not reference:
            return NO_STAY
        visit = visits.of(reference)
        found = places.get(visit.key) if visit else None
        if found is not None and found.stay is not None and visits.is_emergency(reference):
            return replace(found, joined=True)
        return found

    return place
