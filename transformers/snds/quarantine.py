"""The closed list of reasons why a finished stay gives no rows, and of what else is counted (French and English).

A reason is one that the sender can repair; the text says how. `docs/tables.md` is made from here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Text:
    """What it means, in both languages."""

    fr: str
    en: str


REASONS: Mapping[str, Text] = MappingProxyType(
    {
        "patient-missing": Text(
            "Le Patient du séjour n'est pas arrivé : l'envoyer.",
            "The Patient of the stay has not come: send it.",
        ),
        "parent-unknown": Text(
            "Passage en unité dont le séjour (partOf) n'est pas arrivé : envoyer l'Encounter racine.",
            "A unit's Encounter whose stay (partOf) has not come: send the root Encounter.",
        ),
        "field-not-mco": Text(
            "Séjour HAD, SSR ou psychiatrie : ces champs du PMSI ne sont pas produits.",
            "Home care, rehabilitation or psychiatric stay: these PMSI fields are not produced.",
        ),
        "start-missing": Text(
            "Période sans date d'entrée complète : envoyer Encounter.period.start au jour près.",
            "No complete entry date: send Encounter.period.start to the day.",
        ),
        "end-missing": Text(
            "Séjour terminé sans date de sortie complète : envoyer Encounter.period.end au jour près.",
            "Finished without a complete exit date: send Encounter.period.end to the day.",
        ),
        "period-inverted": Text(
            "La sortie précède l'entrée : corriger Encounter.period.",
            "The exit comes before the entry: correct Encounter.period.",
        ),
        "period-too-long": Text(
            "Séjour de plus de 9 999 nuits : corriger Encounter.period.",
            "A stay of more than 9,999 nights: correct Encounter.period.",
        ),
        "too-many-units": Text(
            "Plus de 99 passages en unité : corriger les Encounter rattachés (partOf).",
            "More than 99 units: correct the Encounters that are part of the stay.",
        ),
        "principal-diagnosis-missing": Text(
            "Aucun diagnostic principal : envoyer une Condition de catégorie DP, Encounter.diagnosis ou un Claim.",
            "No principal diagnosis: send a Condition of category DP, Encounter.diagnosis or a Claim.",
        ),
        "principal-diagnosis-ambiguous": Text(
            "Plusieurs diagnostics principaux et aucune règle pour choisir : en désigner un (Encounter.diagnosis).",
            "Several principal diagnoses and no rule to choose: name one (Encounter.diagnosis).",
        ),
        "principal-diagnosis-not-cim10": Text(
            "Le diagnostic principal n'est pas un code CIM-10 : le recoder.",
            "The principal diagnosis is not a CIM-10 code: recode it.",
        ),
        "sex-not-codable": Text(
            "Sexe absent ou autre, non codable avant 2023 : envoyer Patient.gender male ou female.",
            "Sex absent or other, which has no code before 2023: send Patient.gender male or female.",
        ),
        "age-not-exact": Text(
            "Âge incertain au-dessous de deux ans : envoyer Patient et Encounter dans le même Bundle.",
            "Age uncertain below two years: send Patient and Encounter in one Bundle.",
        ),
        "birth-after-entry": Text(
            "Naissance postérieure à l'entrée : corriger Patient.birthDate ou Encounter.period.",
            "Birth after the entry: correct Patient.birthDate or Encounter.period.",
        ),
    }
)

COUNTS: Mapping[str, Text] = MappingProxyType(
    {
        "field-had": Text("séjours d'hospitalisation à domicile", "home care stays"),
        "field-ssr": Text("séjours de soins médicaux et de réadaptation", "rehabilitation stays"),
        "field-psy": Text("séjours de psychiatrie", "psychiatric stays"),
        "readmission-same-day": Text("réadmissions le jour d'une sortie", "re-admissions on the day of an exit"),
        "related-diagnosis-dropped": Text(
            "diagnostics reliés écartés, le DP n'étant pas en Z", "related diagnoses left out: the DP is no Z code"
        ),
        "diagnoses-over-limit": Text(
            "diagnostics au-delà de 99 par unité ou de 999 par séjour", "diagnoses over 99 a unit or 999 a stay"
        ),
        "acts-over-limit": Text(
            "actes au-delà de 999 par unité ou de 9 999 par séjour", "acts over 999 a unit or 9,999 a stay"
        ),
        "act-without-date": Text("actes sans date", "acts without a date"),
        "act-before-entry": Text("actes datés avant l'entrée", "acts dated before the entry"),
        "ghm-incomplete": Text("GHM envoyés qui n'ont pas six caractères", "GHM sent that have not six characters"),
        "place-default": Text(
            "provenances ou destinations mises à 1 faute de précision", "places of origin or destination put to 1"
        ),
        "mode-by-legal-finess": Text(
            "mutations reconnues au seul FINESS juridique", "moves told by the legal FINESS alone"
        ),
        "geographic-finess-default": Text(
            "unités dont le FINESS géographique manque", "units without a geographic FINESS"
        ),
        "claim-unlinked": Text("Claim sans séjour reconnu", "Claims without a known stay"),
        "coding-unlinked": Text(
            "diagnostics et actes sans séjour reconnu (encounter absent ou pas encore arrivé)",
            "diagnoses and acts without a known stay (no encounter, or it has not come)",
        ),
        "resource-unlinked": Text(
            "ressources de personne : ni subject, ni Encounter d'un patient pour leur séjour",
            "resources of nobody: no subject, and no Encounter of a patient for their stay",
        ),
        "waiting-stay": Text("lignes cliniques en attente de leur séjour", "clinical rows that wait for their stay"),
        "waiting-patient": Text("lignes cliniques en attente du Patient", "clinical rows that wait for the Patient"),
        "clinical-without-date": Text("événements cliniques sans date", "clinical events without a date"),
        "clinical-without-loinc": Text("mesures sans code LOINC", "measures without a LOINC code"),
        "clinical-without-drug": Text(
            "prescriptions et administrations sans code de médicament", "drug events without a code of the drug"
        ),
        "clinical-preliminary": Text("résultats provisoires en attente", "preliminary results that wait"),
        "clinical-removed": Text("événements cliniques annulés", "clinical events taken back"),
        "observation-not-kept": Text(
            "observations d'autres catégories (habitudes de vie, imagerie…)",
            "observations of other categories (lifestyle, imaging…)",
        ),
        "clinical-not-normalised": Text(
            "valeurs sans conversion connue vers l'unité de référence (unité ou code LOINC à corriger)",
            "values without a known conversion to the reference unit (unit or LOINC code to correct)",
        ),
        "request-not-order": Text(
            "propositions et projets de prescription (intent)", "proposals and plans, not prescriptions (intent)"
        ),
        "dosage-further": Text(
            "prescriptions à plusieurs posologies, dont seule la première est écrite",
            "prescriptions with several dosages, of which the first alone is written",
        ),
        "dispense-inpatient": Text(
            "dispensations pendant un séjour (sans ligne DCIR)", "dispenses during a stay (no DCIR line)"
        ),
        "dispense-without-person": Text(
            "dispensations d'une personne non chaînable", "dispenses of a person who cannot be chained"
        ),
        "dispense-without-presentation": Text(
            "dispensations sans code CIP ni UCD", "dispenses without a CIP or UCD code"
        ),
        "dispense-quantity-default": Text(
            "dispensations dont la quantité n'est pas en boîtes ou en UCD, comptées pour 1",
            "dispenses whose quantity is not in boxes or UCD, counted as 1",
        ),
        "dispense-quantity-unitless": Text(
            "dispensations dont la quantité n'a pas d'unité codée, prise comme un nombre de boîtes ou d'UCD",
            "dispenses whose quantity has no coded unit, taken as a number of boxes or UCD",
        ),
        "dispense-nature-default": Text(
            "dispensations dont la nature de prestation est prise par défaut",
            "dispenses whose nature of service is the default one",
        ),
        "expensive-quantity-unknown": Text(
            "administrations de la liste en sus dont la dose ne se compte pas en UCD",
            "administrations of the liste en sus whose dose cannot be told in UCD",
        ),
        "value-too-large": Text("valeurs hors du format de la colonne", "values that do not fit their column"),
    }
)
