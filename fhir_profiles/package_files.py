"""JSON files, folders of them, FHIR package archives (`.tgz`) → packages, side by side, that know what they depend on.

Archives are read in memory under limits and never extracted; no network. Promise: a bad package is one clear
error that names the file, and nothing of it is loaded.
"""

from __future__ import annotations

import io
import re
import tarfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import orjson

from fhir_profiles.definition_shapes import fault
from fhir_profiles.errors import Misconfigured
from fhir_profiles.package import KINDS, Package, closure, manifest

Json = Mapping[str, Any]

GUIDE = "ImplementationGuide"
ABOUT = "package.json"
R4 = ("4.0", "4.3")  # R4B shares the types that hospitals send
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
class About:
    """What `package.json` says: name, version, and the names and versions of what the package depends on."""

    name: str = ""
    version: str = ""
    dependencies: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class _Reading:
    """A package while it is read."""

    resources: list[Json] = field(default_factory=list)
    places: dict[str, str] = field(default_factory=dict)
    about: About | None = None
    checksum: int = 0
    size: int = 0


def from_paths(paths: Sequence[Path]) -> tuple[Package, ...]:
    """Read more definitions: JSON files, folders of them, package archives. Raises Misconfigured.

    A dependency is one of the product's packages or of these; one that is neither stands in `missing`.
    """
    read = [_from_path(name, path) for name, path in _named_apart(paths)]
    offered = {(about.name, about.version): package.id for package, about in read if about.name}
    return tuple(_linked(package, about, offered) for package, about in read)


def _named_apart(paths: Sequence[Path]) -> list[tuple[str, Path]]:
    """Give every package an id of its own: the name of its file, without spaces (ids stand in names of links)."""
    found: list[tuple[str, Path]] = []
    for path in paths:
        name = "_".join((path.name or path.resolve().name).split())
        same = sum(other == path.name for other in (one.name for _, one in found))
        found.append((f"{name}.{same + 1}" if same else name, path))
    return found


def _linked(package: Package, about: About, offered: Mapping[tuple[str, str], str]) -> Package:
    """Say which of the loaded packages are meant by the dependencies."""
    ours: list[str] = []
    beside: list[str] = []
    missing: list[str] = []
    for name, version in about.dependencies:
        carried = _carried(name, version)
        given = [one for (other, its), one in offered.items() if other == name and _same(version, its)]
        if carried:
            ours += carried
        elif given:
            beside += given
        else:
            missing.append(f"{name}#{version}")
    return replace(package, requires=(*closure(ours), *beside), missing=tuple(missing))


def _carried(name: str, version: str) -> list[str]:
    """Return the packages of the product that a dependency means."""
    family = FAMILIES.get(name)
    if family is None:
        return []
    if family in manifest():
        return [family]
    return [one.id for one in manifest().values() if one.id.startswith(family) and _same(version, one.version)]


def _same(wanted: str, offered: str) -> bool:
    """Say whether a version is the one asked for (`1.2.x`: any patch of it)."""
    return wanted == offered or (wanted.endswith(".x") and offered.startswith(wanted[:-1]))


def _from_path(name: str, path: Path) -> tuple[Package, About]:
    contents: Iterator[tuple[str, bytes]]
    archive = path.name.endswith((".tgz", ".tar.gz"))
    alone = False
    if path.is_dir():
        contents = ((str(one.relative_to(path)), _read(one)) for one in sorted(path.rglob("*.json")))
    elif archive and path.is_file():
        contents = _members(path)
    elif path.is_file():
        contents, alone = iter([(path.name, _read(path))]), path.suffix == ".json"
    else:
        raise Misconfigured("definitions-not-found", path.name)
    reading = _Reading()
    for inner, content in contents:
        _take(reading, path, inner, content, alone=alone)
    if archive and reading.about is None:
        raise Misconfigured("definitions-not-a-package", f"{path.name}: no package/{ABOUT} in it")
    if not any(one["resourceType"] in KINDS or one.get("global") for one in reading.resources):
        raise Misconfigured("definitions-empty", f"{path.name}: no StructureDefinition, ValueSet or CodeSystem")
    digest = f"{reading.checksum:08x}-{reading.size:x}"
    return Package(name, digest, tuple(reading.resources), places=reading.places), reading.about or About()


def _take(reading: _Reading, path: Path, name: str, content: bytes, *, alone: bool) -> None:
    """Add one file to what was read so far."""
    place = name if alone else f"{path.name}/{name}"
    reading.size += len(content)
    if reading.size > MAXIMUM_PACKAGE_BYTES:
        raise Misconfigured("definitions-too-large", path.name)
    reading.checksum = zlib.crc32(content, reading.checksum)
    if name.rpartition("/")[2] == ABOUT:
        about, known = _about(place, content), reading.about
        reading.about = replace(known, dependencies=known.dependencies + about.dependencies) if known else about
        return
    for resource in _conformance(place, content, alone=alone):
        reading.resources.append(resource)
        reading.places[f"{resource['url']}|{resource.get('version', '')}"] = place


def _about(place: str, content: bytes) -> About:
    """Read `package.json`. Raises Misconfigured for a package of another FHIR version."""
    found = _json(place, content)
    if not isinstance(found, dict):
        raise Misconfigured("definitions-invalid", f"{place}: not an object")
    made_for = found.get("fhirVersions") or found.get("fhir-version-list") or ()
    versions = [one for one in made_for if isinstance(one, str)] if isinstance(made_for, list) else []
    if versions and not any(one.startswith(R4) for one in versions):
        told = ", ".join(one for one in versions if re.fullmatch(r"[0-9A-Za-z.-]{1,20}", one))
        raise Misconfigured("definitions-other-fhir", f"{place}: made for FHIR {told}, the product reads R4 (4.0.1)")
    listed = found.get("dependencies", {})
    if not isinstance(listed, dict):
        raise Misconfigured("definitions-invalid", f"{place}: dependencies: not an object")
    depends = tuple((name, version) for name, version in listed.items() if isinstance(version, str))
    return About(str(found.get("name", "")), str(found.get("version", "")), depends)


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAXIMUM_FILE_BYTES:
            raise Misconfigured("definitions-too-large", path.name)
        return path.read_bytes()
    except OSError:
        raise Misconfigured("definitions-not-readable", path.name) from None


def _members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the JSON files of an archive from memory; links, devices and oversized members never are read."""
    packed, size = _read(path), 0
    try:
        with tarfile.open(fileobj=io.BytesIO(packed), mode="r:gz") as archive:
            for count, member in enumerate(archive):
                size += member.size
                if count > MAXIMUM_MEMBERS or member.size > MAXIMUM_FILE_BYTES or size > MAXIMUM_PACKAGE_BYTES:
                    raise Misconfigured("definitions-too-large", path.name)
                if not member.isfile() or not member.name.endswith(".json"):
                    continue
                if "/example" in member.name or member.name.endswith(".index.json"):
                    continue
                stream = archive.extractfile(member)
                if stream is not None:
                    yield member.name.removeprefix("./").removeprefix("package/"), stream.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as error:
        raise Misconfigured("definitions-not-a-package", f"{path.name}: not a gzip archive") from error


def _json(place: str, content: bytes) -> object:
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise Misconfigured("definitions-not-json", f"{place}: line {error.lineno}") from error


def _conformance(place: str, content: bytes, *, alone: bool) -> Iterator[Json]:
    """Yield what a JSON file holds: one resource, or those of a Bundle."""
    resource = _json(place, content)
    if not isinstance(resource, dict):
        return
    if resource.get("resourceType") == "Bundle":
        entries = resource.get("entry", ())
        for entry in entries if isinstance(entries, list) else ():
            if isinstance(entry, dict) and isinstance(entry.get("resource"), dict):
                yield from _checked(place, entry["resource"], alone=False)
    else:
        yield from _checked(place, resource, alone=alone)


def _checked(place: str, resource: Json, *, alone: bool) -> Iterator[Json]:
    kind = resource.get("resourceType")
    if kind not in (*KINDS, GUIDE):
        if alone:
            raise Misconfigured("definitions-unknown", f"{place}: not a StructureDefinition, ValueSet or CodeSystem")
        return
    if not isinstance(resource.get("url"), str):
        raise Misconfigured("definitions-invalid", f"{place}: {kind} without url")
    wrong = fault(resource)
    if wrong is not None:
        raise Misconfigured("definitions-invalid", f"{place}: {resource['url']}: {wrong}")
    yield resource
