"""Rules → Python functions, generated once per profile. `load_profiles()` is the way in."""

from fhir_profiles.compiler.context import CheckContext, Resolver, Shared
from fhir_profiles.compiler.findings import place_of
from fhir_profiles.compiler.profiles import Profiles, load_profiles

__all__ = ["CheckContext", "Profiles", "Resolver", "Shared", "load_profiles", "place_of"]
