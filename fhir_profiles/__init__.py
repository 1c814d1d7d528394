"""fhir_profiles"""
