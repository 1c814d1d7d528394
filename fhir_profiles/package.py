"""FHIR packages → conformance resources by canonical: the packaged ones, JSON files, folders, package `.tgz`.

Archives are read in memory under limits and never extracted; no network. Promise: a bad package is one clear
error that names the file, and nothing of it is loaded.
"""

from __future__ import annotations

import io
import lzma
import tarfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any

import orjson

from fhir_profiles.errors import Misconfigured

Json = Mapping[str, Any]

KINDS = ("StructureDefinition", "ValueSet", "CodeSystem")
GUIDE = "ImplementationGuide"
ABOUT = "package.json"
# Published package names → the ids of the manifest (with `-version` where the product carries several).
FAMILIES: Mapping[str, str] = MappingProxyType(
    {
        "hl7.fhir.r4.core": "r4",
        "hl7.fhir.fr.core": "fr-core-",
        "hl7.terminology.r4": "fr-terminologies",
        "hl7.fhir.uv.extensions.r4": "fr-terminologies",
        "ans.fr.terminologies": "fr-terminologies",
        "ans.fhir.fr.eds": "eds-",
        "ans.fhir.fr.annuaire": "annuaire-",
        "aphp.fhir.fr.edsh": "edsh-",
    }
)
MAXIMUM_FILE_BYTES = 64 * 1024 * 1024
MAXIMUM_PACKAGE_BYTES = 512 * 1024 * 1024
MAXIMUM_MEMBERS = 50_000


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the manifest."""

    id: str
    version: str
    canonical: str
    licence: str
    requires: tuple[str, ...]
    file: str
    sha256: str
    counts: Mapping[str, int]

    @property
    def label(self) -> str:
        """Return `name@version`, as event headers and outcomes show it."""
        return f"{self.id.removesuffix('-' + self.version)}@{self.version}"


@dataclass(frozen=True, slots=True)
class Package:
    """Conformance resources of one package. `digest` tells one content from another; it proves nothing."""

    id: str
    digest: str
    resources: tuple[Json, ...]
    requires: tuple[str, ...] = ()


@cache
def manifest() -> Mapping[str, Entry]:
    """Return the packaged definitions by id."""
    listed = orjson.loads(_definition("manifest.json"))["packages"]
    return {
        one["id"]: Entry(
            one["id"],
            one["version"],
            one["canonical"],
            one["licence"],
            tuple(one["requires"]),
            one["file"],
            one["sha256"],
            one["counts"],
        )
        for one in listed
    }


def closure(ids: Sequence[str]) -> tuple[str, ...]:
    """Return the packages and what they require, required ones first. Raises Misconfigured for an unknown id."""
    ordered: list[str] = []
    for one in ids:
        if one not in manifest():
            raise Misconfigured("unknown-package", f"{one}: the product carries {', '.join(manifest())}")
        for required in (*closure(manifest()[one].requires), one):
            if required not in ordered:
                ordered.append(required)
    return tuple(ordered)


def packaged(package_id: str) -> Package:
    """Load one packaged definition file."""
    entry = manifest()[package_id]
    content = orjson.loads(lzma.decompress(_definition(entry.file)))
    return Package(entry.id, entry.sha256, tuple(one for kind in KINDS for one in content[kind]), entry.requires)


def from_paths(paths: Sequence[Path]) -> tuple[Package, ...]:
    """Read more definitions: JSON files, folders of them, package archives. Raises Misconfigured."""
    return tuple(_from_path(path) for path in paths)


def _from_path(path: Path) -> Package:
    contents: Iterator[tuple[str, bytes]]
    if path.is_dir():
        contents = ((one.name, _read(one)) for one in sorted(path.rglob("*.json")))
    elif path.name.endswith((".tgz", ".tar.gz")):
        contents = _members(path)
    elif path.is_file():
        contents = iter([(path.name, _read(path))])
    else:
        raise Misconfigured("definitions-not-found", path.name)
    resources: list[Json] = []
    about: Json = {}
    checksum = total = 0
    for name, content in contents:
        total += len(content)
        if total > MAXIMUM_PACKAGE_BYTES:
            raise Misconfigured("definitions-too-large", path.name)
        checksum = zlib.crc32(content, checksum)
        if name == ABOUT:
            about = _about(path.name, content)
        else:
            resources.extend(_conformance(name, content, alone=path.is_file() and path.suffix == ".json"))
    if not any(one["resourceType"] in KINDS or one.get("global") for one in resources):
        raise Misconfigured("definitions-empty", f"{path.name}: no StructureDefinition, ValueSet or CodeSystem")
    return Package(path.name, f"{checksum:08x}-{total:x}", tuple(resources), required(about))


def _about(name: str, content: bytes) -> Json:
    """Read `package.json`: who the package is, and what it depends on."""
    try:
        found = orjson.loads(content)
    except orjson.JSONDecodeError:
        raise Misconfigured("definitions-not-json", f"{name}: {ABOUT}") from None
    return found if isinstance(found, dict) else {}


def required(about: Json) -> tuple[str, ...]:
    """Return the packages of the product that a package depends on; what it names besides is looked up by url."""
    listed = about.get("dependencies")
    found: list[str] = []
    for name, version in (listed if isinstance(listed, dict) else {}).items():
        for one in manifest().values():
            family = FAMILIES.get(str(name))
            if family is not None and one.id.startswith(family) and (one.version == version or family == one.id):
                found.append(one.id)
    return closure(found)


def _read(path: Path) -> bytes:
    if path.stat().st_size > MAXIMUM_FILE_BYTES:
        raise Misconfigured("definitions-too-large", path.name)
    return path.read_bytes()


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the JSON files of an archive from memory; links, devices and oversized members never are read."""
    try:
        with tarfile.open(fileobj=io.BytesIO(_read(path)), mode="r:gz") as archive:
            for count, member in enumerate(archive):
                if count > MAXIMUM_MEMBERS or member.size > MAXIMUM_FILE_BYTES:
                    raise Misconfigured("definitions-too-large", path.name)
                if not member.isfile() or not member.name.endswith(".json"):
                    continue
                if "/example" in member.name or member.name.endswith(".index.json"):
                    continue
                stream = archive.extractfile(member)
                if stream is not None:
                    yield member.name.rpartition("/")[2], stream.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise Misconfigured("definitions-not-a-package", path.name) from error


def _conformance(name: str, content: bytes, *, alone: bool) -> Iterator[Json]:
    """Yield what a JSON file holds: one resource, or those of a Bundle."""
    try:
        resource = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise Misconfigured("definitions-not-json", name) from error
    if not isinstance(resource, dict):
        return
    if resource.get("resourceType") == "Bundle":
        for entry in resource.get("entry", ()):
            if isinstance(entry, dict) and isinstance(entry.get("resource"), dict):
                yield from _checked(name, entry["resource"], alone=False)
    else:
        yield from _checked(name, resource, alone=alone)


def _checked(name: str, resource: Json, *, alone: bool) -> Iterator[Json]:
    kind = resource.get("resourceType")
    if kind not in (*KINDS, GUIDE):
        if alone:
            raise Misconfigured("definitions-unknown", f"{name}: not a StructureDefinition, ValueSet or CodeSystem")
        return
    if not isinstance(resource.get("url"), str):
        raise Misconfigured("definitions-invalid", f"{name}: {kind} without url")
    yield resource


def _definition(name: str) -> bytes:
    return (files("fhir_profiles") / "definitions" / name).read_bytes()
