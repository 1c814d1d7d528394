"""The words of the quality report, in French and English."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Language = Literal["fr", "en"]

WORDS: Mapping[str, tuple[str, str]] = {
    "title": ("Qualité des données", "Data quality"),
    "of": ("Établissement", "Hospital"),
    "all": ("Tous les établissements", "Every hospital"),
    "platform": ("Toute la plateforme", "The whole platform"),
    "made": ("Établi le", "Made on"),
    "masking": (
        "Aucune case ne compte de 1 à 10 séjours, lignes ou personnes : elles sont masquées (‹ 11), et d'autres avec.",
        "No cell counts 1 to 10 stays, rows or persons: they are masked (‹ 11), and sometimes others with them.",
    ),
    "families": ("Trois familles de contrôles", "Three families of checks"),
    "conformance": ("Conformité", "Conformance"),
    "completeness": ("Complétude", "Completeness"),
    "plausibility": ("Plausibilité", "Plausibility"),
    "passed": ("contrôles de lignes", "row checks"),
    "repairs": ("Dix réparations à faire d'abord", "Ten repairs to make first"),
    "repair": ("Réparation", "Repair"),
    "what": ("Constat", "Finding"),
    "number": ("Nombre", "Number"),
    "stays": ("Séjours par mois de sortie", "Stays by month of exit"),
    "statuses": ("Séjours reçus", "Stays received"),
    "status": ("Devenir", "Outcome"),
    "open": ("en cours", "open"),
    "written": ("écrits", "written"),
    "quarantined": ("en quarantaine", "in quarantine"),
    "suppressed": ("supprimés (opposition)", "suppressed (opposition)"),
    "quarantine": ("Quarantaine par motif", "Quarantine by reason"),
    "reason": ("Motif", "Reason"),
    "checks": ("Contrôles par table", "Checks by table"),
    "check": ("Contrôle", "Check"),
    "failing": ("En défaut", "Failing"),
    "rows": ("Lignes", "Rows"),
    "rate": ("Taux", "Rate"),
    "trend": ("Par mois", "By month"),
    "columns": ("Remplissage des colonnes", "How full the columns are"),
    "columns-note": (
        "Colonnes qu'un flux hospitalier peut remplir ; les autres restent vides par définition.",
        "Columns that a hospital's feed can fill; the others stay empty by definition.",
    ),
    "column": ("Colonne", "Column"),
    "table": ("Table", "Table"),
    "month": ("Mois", "Month"),
    "persons": ("Personnes", "Persons"),
    "counters": ("Événements comptés sans colonne", "Events counted without a column"),
    "event": ("Événement", "Event"),
    "nothing": ("rien à signaler", "nothing to report"),
}


def word(key: str, language: Language) -> str:
    """Return a word of the report; a key without words is itself."""
    found = WORDS.get(key)
    return key if found is None else found[0] if language == "fr" else found[1]
