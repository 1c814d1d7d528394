"""Scene → Observations: laboratory results in LOINC and UCUM, vital signs after their FR Core profiles. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from gateway.synthetic.catalogue import Measure, catalogue
from gateway.synthetic.elements import (
    HOME,
    LOINC,
    THO,
    Json,
    coding,
    concept,
    date_time,
    french_date,
    instant,
    narrative,
    quantity,
)
from gateway.synthetic.scene import Scene

LABELS = {"L": "Low", "N": "Normal", "H": "High"}
NEWBORN = (("8339-4", "Poids de naissance", 2600.0, 4100.0, "g"), ("11884-4", "Âge gestationnel", 37.0, 41.0, "wk"))


def laboratory(scene: Scene, rank: int) -> Json:
    """Return one result; `rank` numbers it in the stay, and results of one sampling stand together."""
    lists = catalogue().laboratory
    measure = lists[(rank + scene.stay.number) % len(lists)]
    at = _moment(scene, rank // 8, hour=6)
    value = scene.dice.real(
        measure.low - (measure.high - measure.low) * 0.25 * measure.spread * (measure.low > 0),
        measure.high + (measure.high - measure.low) * 0.5 * measure.spread,
    )
    value = round(max(value, 0.1), measure.digits)
    where = "L" if value < measure.low else "H" if value > measure.high else "N"
    return observation(scene, f"bio-{scene.stay.number:06d}-{rank}", "laboratory", measure, at=at) | {
        "valueQuantity": quantity(value, measure.unit, printed=measure.printed),
        "interpretation": [
            concept(coding(THO + "v3-ObservationInterpretation", where, LABELS[where]), text=LABELS[where])
        ],
        "method": concept(coding("http://snomed.info/sct", "272394005", "Technique"), text="Automate"),
        "specimen": {
            "identifier": {"system": f"{HOME}prelevement", "value": f"PRL{scene.stay.visit}-{rank // 8}"},
            "display": "Sang veineux périphérique",
        },
        "device": {"display": "Automate de biochimie et d'hématologie du site 1"},
        "referenceRange": [
            {
                "low": quantity(measure.low, measure.unit, printed=measure.printed),
                "high": quantity(measure.high, measure.unit, printed=measure.printed),
                "type": concept(coding(THO + "referencerange-meaning", "normal", "Normal Range")),
                "text": f"{measure.low:g} à {measure.high:g} {measure.printed}",
            }
        ],
    }


def vital_sign(scene: Scene, rank: int) -> Json:
    """Return one vital sign."""
    lists = catalogue().vitals
    measure = lists[rank % len(lists)]
    value = round(scene.dice.real(measure.low, measure.high), measure.digits)
    made = observation(
        scene, f"cst-{scene.stay.number:06d}-{rank}", "vital-signs", measure, at=_moment(scene, rank // 3, hour=8)
    )
    return made | {"valueQuantity": quantity(value, measure.unit, printed=measure.printed)}


def blood_pressure(scene: Scene, rank: int) -> Json:
    """Return one blood pressure with its two components."""
    measure = Measure("85354-9", "Pression artérielle", "mm[Hg]", "mmHg", 0, 0, 0, profile="fr-core-observation-bp")
    systolic = scene.dice.real(98, 172)
    made = observation(
        scene, f"pa-{scene.stay.number:06d}-{rank}", "vital-signs", measure, at=_moment(scene, rank, hour=9)
    )
    parts = (("8480-6", "Pression systolique", systolic), ("8462-4", "Pression diastolique", systolic * 0.58))
    return made | {
        "component": [
            {
                "code": concept(coding(LOINC, loinc, name), text=name),
                "valueQuantity": quantity(round(value), "mm[Hg]", printed="mmHg"),
            }
            for loinc, name, value in parts
        ]
    }


def birth_measures(scene: Scene) -> list[Json]:
    """Return the birth weight and the gestational age of a newborn."""
    made = []
    for loinc, name, low, high, unit in NEWBORN:
        measure = Measure(loinc, name, unit, unit, low, high, 0)
        made.append(
            observation(
                scene, f"nn-{scene.stay.number:06d}-{loinc}", "exam", measure, at=scene.stay.start + timedelta(hours=1)
            )
            | {"valueQuantity": quantity(round(scene.dice.real(low, high)), unit)}
        )
    return made


def _moment(scene: Scene, day: int, *, hour: int) -> datetime:
    """Return a time of the stay's day, kept inside the stay."""
    stay = scene.stay
    days = (stay.known_until.date() - stay.start.date()).days + 1
    at = (stay.start + timedelta(days=day % days)).replace(hour=hour, minute=scene.dice.below(60))
    return min(max(at, stay.start + timedelta(minutes=5)), stay.known_until)


def observation(scene: Scene, name: str, category: str, measure: Measure, *, at: datetime) -> Json:
    """Return an observation of a category, without its value."""
    profiles = [measure.profile] if measure.profile else []
    return {
        "resourceType": "Observation",
        "id": scene.id("Observation", name),
        "meta": scene.meta(*profiles, at=at + timedelta(hours=1)),
        "text": narrative(f"{measure.name}, mesure du {french_date(at)}, séjour n° {scene.stay.visit}."),
        "identifier": [{"use": "official", "system": f"{HOME}resultat", "value": name}],
        "status": "final",
        "category": [concept(coding(THO + "observation-category", category))],
        "code": concept(
            coding(LOINC, measure.loinc, measure.name),
            coding(f"{HOME}catalogue", f"CAT-{measure.loinc}", measure.name),
            text=measure.name,
        ),
        "subject": scene.subject(),
        "encounter": scene.encounter(),
        "effectiveDateTime": date_time(at),
        "issued": instant(at + timedelta(minutes=50)),
        "performer": [scene.practitioner()],
        "note": [{"time": date_time(at + timedelta(minutes=50)), "text": f"Validé par {scene.doctor.name}."}],
    }
