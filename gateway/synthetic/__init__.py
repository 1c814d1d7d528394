"""Synthetic French hospital data: deterministic by seed, fictitious in every name and number, marked as such.

`plan` decides who comes when for what, `bundles` writes it as FHIR, `writing` puts it into a folder.
"""
