"""What is built is what is in the sources: every packaged file, nothing else, the same bytes each time."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
PACKAGES = ("fhir_profiles", "transformers", "streaming", "gateway")
BUILT_FROM = ("pyproject.toml", "README.md", "LICENSE", *PACKAGES)
EPOCH = "1700000000"


def build(source: Path, target: Path) -> Path:
    """Build the wheel from a copy of the sources, without the network."""
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(target), "."],
        cwd=source, env=os.environ | {"SOURCE_DATE_EPOCH": EPOCH, "PYTHONWARNINGS": "ignore"}, timeout=600, check=True,
    )  # fmt: skip
    [wheel] = target.glob("*.whl")
    return wheel


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two copies of the sources as they are now."""
    folder = tmp_path_factory.mktemp("sources")
    (folder / "one").mkdir()
    for name in BUILT_FROM:
        path = PROJECT / name
        if path.is_dir():
            shutil.copytree(path, folder / "one" / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(path, folder / "one")
    shutil.copytree(folder / "one", folder / "two")
    return folder


@pytest.fixture(scope="module")
def wheels(sources: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("wheels")
    return build(sources / "one", folder / "first"), build(sources / "two", folder / "second")


def test_the_wheel_holds_every_file_of_the_packages_and_no_other(sources: Path, wheels: tuple[Path, Path]) -> None:
    names = {name for name in zipfile.ZipFile(wheels[0]).namelist() if ".dist-info/" not in name}
    made_by_the_build = {"build", "fhir_snds_gateway.egg-info", "__pycache__"}
    expected = {
        path.relative_to(sources / "one").as_posix()
        for package in PACKAGES
        for path in (sources / "one" / package).rglob("*")
        if path.is_file() and not made_by_the_build & set(path.parts)
    }

    assert len(expected) > 200
    assert names == expected


def test_building_twice_gives_the_same_bytes(wheels: tuple[Path, Path]) -> None:
    first, second = (hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in wheels)

    assert first == second


def test_every_dependency_is_locked_and_explained() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.split(r"[\[<>=; ]", one)[0].lower() for one in project["dependencies"]}
    page = (PROJECT / "docs" / "dependencies.md").read_text(encoding="utf-8").lower()
    lock = (PROJECT / "requirements.lock").read_text(encoding="utf-8").lower()

    assert names
    assert {name for name in names if name not in page} == set()
    assert {name for name in names if f"\n{re.sub('[._]', '-', name)}==" not in f"\n{lock}"} == set()


def test_the_list_of_components_is_the_lock_file() -> None:
    from scripts.build_sbom import document

    lock = (PROJECT / "requirements.lock").read_text(encoding="utf-8")
    made = json.loads(document())
    names = {(one["name"], one["version"]) for one in made["components"]}

    assert (made["bomFormat"], made["specVersion"]) == ("CycloneDX", "1.5")
    assert names == set(re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", lock, re.MULTILINE))
    assert all(one["properties"] for one in made["components"])
    assert sum(1 for one in made["components"] if "licenses" in one) > len(names) * 0.9
    assert document() == document()
