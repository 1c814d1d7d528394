"""The backup of the operator's guide: stopped, copied, restored elsewhere; what is sent again changes nothing."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gateway.synthetic.scene import Hospital
from gateway.synthetic.writing import write_stays
from tests.support.installation import FINESS, Installation, snds_gateway

pytestmark = pytest.mark.slow
PROJECT = Path(__file__).resolve().parents[2]


def push(installation: Installation, *bundles: Path) -> None:
    key = installation.data_dir / "credentials" / f"{FINESS}.key"
    paths = map(str, bundles)
    snds_gateway("push", *paths, "--url", installation.url, "--key-file", str(key), check=False)


def rows(installation: Installation) -> dict[str, list[Any]]:
    names = [name for (name,) in installation.sql("SELECT view_name FROM duckdb_views() WHERE NOT internal")]
    return {name: sorted(installation.sql(f'SELECT * FROM "{name}"'), key=repr) for name in names}


def test_a_restored_backup_goes_on_and_a_resend_doubles_nothing(tmp_path: Path) -> None:
    write_stays(tmp_path / "bundles", seed=5, stays=20, hospital=Hospital(FINESS), wrote=lambda _: None)
    bundles = sorted((tmp_path / "bundles").glob("0*.json"))
    first = Installation(tmp_path / "first", "--test-identities")
    with first.serving():
        push(first, *bundles[:12])
        first.wait_idle()
    archive = tmp_path / "backup.tar"
    guide = (PROJECT / "docs" / "operation.md").read_text(encoding="utf-8")
    options = next(line for line in guide.splitlines() if line.startswith("sudo tar ")).split()
    command = ["tar", *(word for word in options if word.startswith("--") and word not in ("--acls", "--file"))]
    subprocess.run([*command, "--file", str(archive), "-C", str(first.data_dir), "."], check=True)
    with first.serving():
        push(first, *bundles)
        first.wait_idle()
        expected = rows(first)

    restored = tmp_path / "restored"
    restored.mkdir()
    subprocess.run(["tar", "--extract", "--file", str(archive), "-C", str(restored)], check=True)
    assert not (restored / "keys").exists()
    shutil.copytree(first.data_dir / "keys", restored / "keys")
    second = Installation.at(restored)
    with second.serving():
        push(second, *bundles)
        accounts = second.wait_idle()

        assert accounts["dead_letters"] == 0
        assert rows(second) == expected
    assert "every row is as it was" in snds_gateway("tables", "rebuild", "--data-dir", str(restored)).stdout
    assert rows(second) == expected
    assert sum(map(len, expected.values())) > 100
