"""What published counts may be grouped by: names, tables and the SQL of each value. Nothing else may be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

AGE_CLASS = (
    "CASE WHEN AGE_ANN IS NULL THEN '00-00' WHEN AGE_ANN >= 90 THEN '90+' ELSE"
    " printf('%02d-%02d', AGE_ANN // 10 * 10, AGE_ANN // 10 * 10 + 9) END"
)
LENGTH_CLASS = (
    "CASE WHEN SEJ_NBJ IS NULL THEN 'session' WHEN SEJ_NBJ = 0 THEN '0' WHEN SEJ_NBJ <= 2 THEN '1-2'"
    " WHEN SEJ_NBJ <= 7 THEN '3-7' WHEN SEJ_NBJ <= 14 THEN '8-14' ELSE '15+' END"
)


@dataclass(frozen=True, slots=True)
class Dimension:
    """What one may group by: a name, the table (suffix of the yearly tables) and the SQL of its value."""

    name: str
    table: str
    sql: str
    label_fr: str
    label_en: str


DIMENSIONS: Mapping[str, Dimension] = {
    one.name: one
    for one in (
        Dimension("hospital", "MCO.B", "ETA_NUM", "Établissement", "Hospital"),
        Dimension("year", "MCO.B", "SOR_ANN", "Année de sortie", "Exit year"),
        Dimension("month", "MCO.B", "SOR_ANN || '-' || SOR_MOI", "Mois de sortie", "Exit month"),
        Dimension("sex", "MCO.B", "COD_SEX", "Sexe", "Sex"),
        Dimension("age", "MCO.B", AGE_CLASS, "Classe d'âge", "Age class"),
        Dimension("department", "MCO.B", "coalesce(BDI_DEP, '')", "Département", "Department"),
        Dimension(
            "diagnosis", "MCO.B", "left(DGN_PAL, 3)", "Diagnostic principal (3 caractères)", "Principal diagnosis"
        ),
        Dimension("chapter", "MCO.B", "left(DGN_PAL, 1)", "Lettre du diagnostic principal", "Letter of the diagnosis"),
        Dimension("entry", "MCO.B", "ENT_MOD", "Mode d'entrée", "Entry mode"),
        Dimension("exit", "MCO.B", "SOR_MOD", "Mode de sortie", "Exit mode"),
        Dimension("length", "MCO.B", LENGTH_CLASS, "Durée (nuits)", "Length (nights)"),
        Dimension("associated", "MCO.D", "left(ASS_DGN, 3)", "Diagnostic associé", "Associated diagnosis"),
        Dimension("act", "MCO.A", "CDC_ACT", "Acte CCAM", "CCAM act"),
        Dimension("unit-type", "MCO.UM", "coalesce(AUT_TYP1_UM, '')", "Type d'unité", "Unit type"),
        Dimension("emergency", "EDS.SEJ", "coalesce(SEJ_PAS_URG, '')", "Passage aux urgences", "Emergency passage"),
        Dimension("result", "EDS.BIO", "coalesce(BIO_LOI_COD, '')", "Résultat (LOINC)", "Result (LOINC)"),
        Dimension("measure", "EDS.CST", "CST_LOI_COD", "Mesure (LOINC)", "Measure (LOINC)"),
        Dimension(
            "prescribed", "EDS.PRE", "coalesce(left(PHA_ATC_CLA, 5), '')", "Prescription (ATC)", "Prescribed (ATC)"
        ),
        Dimension("given", "EDS.ADM", "coalesce(left(PHA_ATC_CLA, 5), '')", "Administration (ATC)", "Given (ATC)"),
    )
}
