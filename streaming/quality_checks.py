"""The checks of the quality report, as data: Kahn's three families, each a condition on one row of one table. Pure.

`bad` and `of` are SQL over a row `t` of the table; `{B}`, `{C}`… name the tables of the same year, `{cim10}` a test.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from transformers.snds.quarantine import Text
from transformers.snds.schema import TABLES, Table

Family = Literal["conformance", "completeness", "plausibility"]
FAILURE = "x" * 17
OF_A_STAY = "(t.ETA_NUM, t.RSA_NUM) = (o.ETA_NUM, o.RSA_NUM)"


@dataclass(frozen=True, slots=True)
class Check:
    """One condition: `bad` of the rows for which `of` holds; what it means, and what the sender can do."""

    code: str
    family: Family
    table: str
    bad: str
    of: str
    text: Text
    repair: Text


def _check(
    code: str, family: Family, table: str, bad: str, text: tuple[str, str], repair: tuple[str, str], of: str = "true"
) -> Check:
    return Check(code, family, table, bad, of, Text(*text), Text(*repair))


def _number_of(table: str) -> str:
    return f"(SELECT count(*) FROM {{{table}}} AS o WHERE {OF_A_STAY})"  # noqa: S608


TELL_US = ("Anomalie de la passerelle : la signaler.", "A fault of the gateway: report it.")
STAYS: tuple[Check, ...] = (
    _check("stay-chained-once", "conformance", "T_MCOaaB", f"{_number_of('C')} <> 1",
           ("séjour sans sa ligne de chaînage unique", "stay without its one chaining row"), TELL_US),
    _check("stay-units", "conformance", "T_MCOaaB", f"t.NBR_RUM <> {_number_of('UM')}",
           ("NBR_RUM différent du nombre d'unités", "NBR_RUM differs from the units"), TELL_US),
    _check("stay-diagnoses", "conformance", "T_MCOaaB", f"t.NBR_DGN <> {_number_of('D')}",
           ("NBR_DGN différent du nombre de diagnostics associés", "NBR_DGN differs from the diagnoses"), TELL_US),
    _check("stay-acts", "conformance", "T_MCOaaB", f"t.NBR_ACT <> {_number_of('A')}",
           ("NBR_ACT différent du nombre d'actes", "NBR_ACT differs from the acts"), TELL_US),
    _check("stay-nights", "conformance", "T_MCOaaB",
           f"t.SEJ_NBJ <> (SELECT sum(o.PAR_DUR_SEJ) FROM {{UM}} AS o WHERE {OF_A_STAY})",  # noqa: S608
           ("SEJ_NBJ différent de la somme des durées d'unité", "SEJ_NBJ differs from the nights of its units"),
           TELL_US, of="t.SEJ_NBJ IS NOT NULL"),
    _check("stay-unit-of-diagnosis", "conformance", "T_MCOaaB",
           f"t.DGN_PAL NOT IN (SELECT o.DGN_PAL FROM {{UM}} AS o WHERE {OF_A_STAY}"  # noqa: S608
           " AND o.UM_ORD_NUM = TRY_CAST(t.SEQ_RUM AS INTEGER))",
           ("DP du séjour différent de celui de l'unité SEQ_RUM", "DP of the stay is not that of SEQ_RUM"), TELL_US),
    _check("diagnosis-nomenclature", "conformance", "T_MCOaaB", "NOT {cim10}(t.DGN_PAL)",
           ("DP hors CIM-10", "principal diagnosis not in CIM-10"),
           ("Recoder le diagnostic principal dans la CIM-10 du PMSI.", "Recode the principal diagnosis in CIM-10.")),
    _check("associated-nomenclature", "conformance", "T_MCOaaD", "NOT {cim10}(t.ASS_DGN)",
           ("diagnostic associé hors CIM-10", "associated diagnosis not in CIM-10"),
           ("Recoder le diagnostic associé.", "Recode the associated diagnosis.")),
    _check("act-nomenclature", "conformance", "T_MCOaaA", "NOT {ccam}(t.CDC_ACT)",
           ("acte hors CCAM", "act not in CCAM"), ("Recoder l'acte en CCAM.", "Recode the act in CCAM.")),
    _check("sex-code", "conformance", "T_MCOaaB", "t.COD_SEX NOT IN ('1', '2', '3')",
           ("sexe hors nomenclature", "sex code unknown"), TELL_US),
    _check("mode-pair", "conformance", "T_MCOaaB",
           "(t.ENT_MOD IN ('6', '7', '0') AND t.ENT_PRV IS NULL)"
           " OR (t.SOR_MOD IN ('6', '7', '0') AND t.SOR_DES IS NULL) OR (t.SOR_MOD = '9' AND t.SOR_DES IS NOT NULL)",
           ("mode sans sa provenance ou destination", "mode without its place"),
           ("Envoyer hospitalization.origin et destination.", "Send hospitalization.origin and destination.")),
    _check("beneficiary-known", "conformance", "T_MCOaaC",
           "t.NIR_ANO_17 NOT IN (SELECT o.BEN_NIR_PSA FROM {ben} AS o)",
           ("NIR_ANO_17 absent d'IR_BEN_R", "NIR_ANO_17 not in IR_BEN_R"), TELL_US, of=f"t.NIR_ANO_17 <> '{FAILURE}'"),
    _check("chained", "completeness", "T_MCOaaC",
           f"t.NIR_ANO_17 = '{FAILURE}' OR t.NIR_RET <> '0' OR t.NAI_RET <> '0' OR t.SEX_RET <> '0'",
           ("séjour non chaînable (code retour ou NIR)", "stay that cannot be chained"),
           ("Envoyer l'INS-NIR, la date de naissance et le sexe.", "Send INS-NIR, birth date and sex.")),
    _check("ipp", "completeness", "T_MCOaaC", "t.IPP_BEN_ANO IS NULL",
           ("IPP absent", "no IPP"), ("Envoyer Patient.identifier de type PI.", "Send Patient.identifier of type PI.")),
    _check("residence", "completeness", "T_MCOaaB", "t.BDI_DEP IS NULL",
           ("département de résidence absent", "no department of residence"),
           ("Envoyer le code postal ou le code INSEE de l'adresse.", "Send postal or INSEE code of the address.")),
    _check("unit-type", "completeness", "T_MCOaaUM", "t.AUT_TYP1_UM IS NULL",
           ("type d'autorisation de l'unité absent", "no authorisation type of the unit"),
           ("Charger la table des unités (hospital units).", "Load the unit table (hospital units).")),
    _check("mode-sent", "completeness", "T_EDSaaSEJ", "t.FLG_MOD_DEF <> '0'",
           ("mode d'entrée ou de sortie par défaut", "entry or exit mode by default"),
           ("Envoyer hospitalization.admitSource et dischargeDisposition.", "Send admitSource, dischargeDisposition.")),
    _check("insured-number", "completeness", "T_EDSaaSEJ", "t.FLG_NIR_PRO <> '0'",
           ("NIR propre faute de celui de l'assuré", "own NIR for want of the insured's"),
           ("Envoyer Coverage avec le NIR de l'assuré.", "Send Coverage with the insured's NIR.")),
    _check("diagnosis-designated", "completeness", "T_EDSaaSEJ", "t.FLG_DGN_RUL IN ('2', '3')",
           ("DP choisi par règle", "principal diagnosis chosen by rule"),
           ("Désigner le DP (Condition DP, Encounter.diagnosis).", "Name the principal diagnosis of the stay.")),
    _check("unit-diagnosis", "completeness", "T_EDSaaSEJ", "t.FLG_UM_DGN <> '0'",
           ("DP de RUM repris du séjour", "unit that took the stay's diagnosis"),
           ("Envoyer un DP pour chaque passage en unité.", "Send a principal diagnosis for each unit.")),
    _check("geographic-code", "completeness", "T_EDSaaSEJ", "t.FLG_GEO_DEF <> '0'",
           ("code postal à la place du code géographique PMSI", "postal code for the PMSI geographic code"),
           ("Charger la table pmsi-geography.", "Load the table pmsi-geography.")),
    _check("age-exact", "completeness", "T_EDSaaSEJ", "t.FLG_AGE_APX <> '0'",
           ("âge approché au mois", "age known to the month"),
           ("Envoyer Patient et Encounter dans le même Bundle.", "Send Patient and Encounter in one Bundle.")),
    _check("nir-key", "completeness", "T_EDSaaSEJ", "t.FLG_NIR_CLE <> '0'",
           ("clé du NIR fausse ou absente", "NIR key wrong or absent"),
           ("Vérifier la clé du NIR avant l'envoi.", "Check the key of the NIR before sending.")),
    _check("codes-kept", "conformance", "T_EDSaaSEJ", "t.FLG_COD_REJ > 0",
           ("séjour avec des codes écartés", "stay with codes left out"),
           ("Coder en CIM-10 et en CCAM (pas en CIM-11).", "Code in CIM-10 and CCAM (not ICD-11).")),
    _check("codes-final", "conformance", "T_EDSaaSEJ", "t.FLG_CIM_NOF > 0",
           ("séjour avec un code CIM-10 non terminal", "stay with a CIM-10 heading"),
           ("Coder au niveau le plus fin de la CIM-10.", "Code at the finest level of CIM-10.")),
    _check("code-system", "conformance", "T_EDSaaSEJ", "t.FLG_COD_SYS <> '0'",
           ("bon code sous un autre système", "right code under another system"),
           ("Corriger Coding.system.", "Correct Coding.system.")),
    _check("dates-inside", "plausibility", "T_EDSaaSEJ", "t.FLG_DAT_HOR > 0",
           ("séjour avec des événements hors de ses dates", "stay with events outside its dates"),
           ("Vérifier les dates des résultats et de la période du séjour.", "Check dates of results and of the stay.")),
    _check("age-plausible", "plausibility", "T_MCOaaB", "t.AGE_ANN > 115",
           ("âge supérieur à 115 ans", "age over 115"), ("Vérifier la date de naissance.", "Check the birth date.")),
    _check("length-plausible", "plausibility", "T_MCOaaB", "t.SEJ_NBJ > 365",
           ("séjour de plus d'un an", "stay of more than a year"),
           ("Vérifier Encounter.period.", "Check Encounter.period.")),
    _check("diagnosis-and-sex", "plausibility", "T_MCOaaB",
           "(t.COD_SEX = '1' AND regexp_matches(t.DGN_PAL, '^(O|C5[1-8]|N7[0-7]|N8[0-9]|N9[0-8])'))"
           " OR (t.COD_SEX = '2' AND regexp_matches(t.DGN_PAL, '^(C6[0-3]|N4[0-9]|N5[01])'))",
           ("diagnostic incompatible avec le sexe", "diagnosis against sex"),
           ("Vérifier le sexe ou le diagnostic principal.", "Check sex or principal diagnosis.")),
    _check("dates-ordered", "plausibility", "T_MCOaaC", "t.EXE_SOI_DTD > t.EXE_SOI_DTF OR t.EXE_SOI_DTF > current_date",
           ("dates inversées ou futures", "dates inverted or in the future"),
           ("Vérifier Encounter.period.", "Check Encounter.period."), of="t.EXE_SOI_DTD IS NOT NULL"),
    _check("act-inside", "plausibility", "T_MCOaaA",
           f"t.ENT_DAT_DEL < 0 OR t.ENT_DAT_DEL > (SELECT max(o.SEJ_NBJ) FROM {{B}} AS o WHERE {OF_A_STAY})",  # noqa: S608
           ("acte hors des dates du séjour", "act outside the stay"),
           ("Vérifier Procedure.performed.", "Check Procedure.performed."), of="t.ENT_DAT_DEL IS NOT NULL"),
)  # fmt: skip


CLINICAL: tuple[Check, ...] = (
    _check("result-loinc", "conformance", "T_EDSaaBIO", "t.BIO_LOI_COD IS NULL",
           ("résultat sans code LOINC", "result without LOINC"),
           ("Coder Observation.code en LOINC.", "Code Observation.code in LOINC.")),
    _check("result-value", "completeness", "T_EDSaaBIO",
           "t.BIO_VAL_NUM IS NULL AND t.BIO_VAL_COD IS NULL AND t.BIO_ABS_COD IS NULL",
           ("résultat sans valeur ni motif d'absence", "result without value or reason"),
           ("Envoyer valueQuantity ou dataAbsentReason.", "Send valueQuantity or dataAbsentReason.")),
    _check("result-unit", "conformance", "T_EDSaaBIO", "t.BIO_VAL_STD IS NULL",
           ("valeur non normalisée (unité ou code)", "value not normalised (unit or code)"),
           ("Envoyer l'unité UCUM dans Quantity.code.", "Send the UCUM unit in Quantity.code."),
           of="t.BIO_VAL_NUM IS NOT NULL"),
    _check("result-bounds", "completeness", "T_EDSaaBIO", "t.BIO_NOR_INF IS NULL AND t.BIO_NOR_SUP IS NULL",
           ("résultat sans bornes", "result without reference range"),
           ("Envoyer Observation.referenceRange.", "Send Observation.referenceRange."), of="t.BIO_VAL_NUM IS NOT NULL"),
    _check("result-bounds-ordered", "plausibility", "T_EDSaaBIO", "t.BIO_NOR_INF > t.BIO_NOR_SUP",
           ("bornes inversées", "bounds inverted"), ("Corriger referenceRange.", "Correct referenceRange."),
           of="t.BIO_NOR_INF IS NOT NULL AND t.BIO_NOR_SUP IS NOT NULL"),
    _check("result-plausible", "plausibility", "T_EDSaaBIO", "NOT {plausible}(t.BIO_LOI_COD, t.BIO_VAL_STD)",
           ("valeur biologique hors du possible", "laboratory value hardly possible"),
           ("Vérifier l'unité et la valeur.", "Check unit and value."), of="t.BIO_VAL_STD IS NOT NULL"),
    _check("measure-unit", "conformance", "T_EDSaaCST", "t.CST_VAL_STD IS NULL",
           ("mesure non normalisée (unité ou code)", "measure not normalised"),
           ("Envoyer l'unité UCUM dans Quantity.code.", "Send the UCUM unit in Quantity.code."),
           of="t.CST_VAL_NUM IS NOT NULL"),
    _check("measure-plausible", "plausibility", "T_EDSaaCST", "NOT {plausible}(t.CST_LOI_COD, t.CST_VAL_STD)",
           ("constante hors du possible", "vital sign hardly possible"),
           ("Vérifier l'unité et la valeur.", "Check unit and value."), of="t.CST_VAL_STD IS NOT NULL"),
    _check("given-drug", "completeness", "T_EDSaaADM", "t.PHA_ATC_CLA IS NULL AND t.UCD_UCD_COD IS NULL",
           ("administration sans ATC ni UCD", "administration without ATC or UCD"),
           ("Coder le médicament en UCD ou en ATC.", "Code the drug in UCD or ATC.")),
    _check("given-dose", "completeness", "T_EDSaaADM", "t.ADM_DOS_QTE IS NULL OR t.ADM_DOS_UNI IS NULL",
           ("administration sans dose ou unité", "administration without dose or unit"),
           ("Envoyer dosage.dose avec son code UCUM.", "Send dosage.dose with its UCUM code.")),
    _check("given-route", "completeness", "T_EDSaaADM", "t.ADM_VOI_COD IS NULL",
           ("voie d'administration absente", "no route"), ("Coder dosage.route (EDQM).", "Code dosage.route (EDQM).")),
    _check("prescribed-drug", "completeness", "T_EDSaaPRE", "t.PHA_ATC_CLA IS NULL AND t.UCD_UCD_COD IS NULL",
           ("prescription sans ATC ni UCD", "prescription without ATC or UCD"),
           ("Coder le médicament en UCD ou en ATC.", "Code the drug in UCD or ATC.")),
    _check("prescribed-dose", "completeness", "T_EDSaaPRE", "t.PRE_DOS_QTE IS NULL",
           ("prescription sans dose", "prescription without dose"),
           ("Envoyer doseAndRate.doseQuantity.", "Send doseAndRate.doseQuantity.")),
    _check("prescribed-length", "plausibility", "T_EDSaaPRE", "t.PRE_DUR_JOU > 366",
           ("prescription de plus d'un an", "prescription of more than a year"),
           ("Vérifier boundsPeriod.", "Check boundsPeriod."), of="t.PRE_DUR_JOU IS NOT NULL"),
)  # fmt: skip

LINKED = ("T_MCOaaC", "T_MCOaaUM", "T_MCOaaD", "T_MCOaaA", "T_MCOaaMED", "T_EDSaaSEJ")
CLINICAL_TABLES = ("T_EDSaaBIO", "T_EDSaaCST", "T_EDSaaADM", "T_EDSaaPRE")


@cache
def checks() -> tuple[Check, ...]:
    """Return every check: those of the schema for each table, and those written above."""
    return (*_of_schema(), *STAYS, *CLINICAL)


def texts() -> Mapping[str, Check]:
    """Return the checks by code."""
    return {one.code: one for one in checks()}


def _of_schema() -> Iterator[Check]:
    for name, table in TABLES.items():
        yield _check(f"type:{name}", "conformance", name, _too_long(table),
                     ("valeur plus longue que sa colonne", "value longer than its column"), TELL_US)  # fmt: skip
        required = " OR ".join(f't."{column.name}" IS NULL' for column in table.columns if not column.nullable)
        if required:
            yield _check(f"filled:{name}", "conformance", name, required,
                         ("colonne obligatoire vide", "required column empty"), TELL_US)  # fmt: skip
        if table.primary_key:
            key = ", ".join(f't."{column}"' for column in table.primary_key)
            yield _check(f"key:{name}", "conformance", name, f"count(*) OVER (PARTITION BY {key}) > 1",
                         ("clé primaire en double", "primary key twice"), TELL_US)  # fmt: skip
        if name in (*LINKED, *CLINICAL_TABLES):
            yield _check(f"join:{name}", "conformance", name,
                         f"NOT EXISTS (SELECT 1 FROM {{B}} AS o WHERE {OF_A_STAY})",  # noqa: S608
                         ("ligne sans son séjour", "row without its stay"), TELL_US,
                         of="t.RSA_NUM IS NOT NULL")  # fmt: skip


def _too_long(table: Table) -> str:
    wide = [f'length(t."{one.name}") > {one.width}' for one in table.columns if one.kind == "CHAR" and one.width]
    return " OR ".join(wide) or "false"
