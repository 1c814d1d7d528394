"""De-identified resources of one person → rows of the SNDS tables. Pure; read `person` first.

visits (which Encounters are one contact) → contents (what is told of each) → stays (what each one is) → rows (mco,
stay_sheet, external, births, severity, beneficiary) · diagnoses, acts, claims, medical_units, modes, ages: rules ·
clinical*, dispensing, expensive_drugs: clinical and drug rows · schema, reference, quarantine: data.
"""
