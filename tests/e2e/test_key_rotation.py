"""A new key of the tables: every pseudonym is another one, the same persons are the same persons (P15)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.synthetic.scene import Hospital
from gateway.synthetic.writing import write_stays
from tests.support.installation import FINESS, Installation, snds_gateway

pytestmark = pytest.mark.slow
PERSONS = "SELECT NIR_ANO_17, count(*) FROM {} GROUP BY ALL ORDER BY 1"
SHAPE = "SELECT list_sort(list(n)) FROM (SELECT count(*) n FROM {} GROUP BY NIR_ANO_17)"


def stays(installation: Installation) -> str:
    """Return the union of the stays' identities over all years."""
    names = installation.sql("SELECT view_name FROM duckdb_views() WHERE view_name SIMILAR TO 'T_MCO[0-9]{2}C'")
    return "(" + " UNION ALL ".join(f'FROM "{name}"' for (name,) in sorted(names)) + ")"


def push(installation: Installation, folder: Path) -> None:
    key = installation.data_dir / "credentials" / f"{FINESS}.key"
    snds_gateway("push", str(folder), "--url", installation.url, "--key-file", str(key), check=False)


def test_after_a_rotation_every_pseudonym_is_new_and_persons_chain_as_before(tmp_path: Path) -> None:
    write_stays(tmp_path / "bundles", seed=9, stays=30, hospital=Hospital(FINESS), wrote=lambda _: None)
    installation = Installation(tmp_path / "data", "--test-identities")
    data_dir = str(installation.data_dir)
    with installation.serving():
        push(installation, tmp_path / "bundles")
        installation.wait_idle()
        busy = snds_gateway("keys", "rotate", "tables", "--data-dir", data_dir, check=False)
    before = dict(installation.sql(PERSONS.format(stays(installation))))
    shape = installation.sql(SHAPE.format(stays(installation)))

    snds_gateway("keys", "rotate", "tables", "--data-dir", data_dir)
    after = dict(installation.sql(PERSONS.format(stays(installation))))

    assert busy.returncode == 78
    assert len(before) > 20
    assert not set(before) & set(after)
    assert installation.sql(SHAPE.format(stays(installation))) == shape
    assert sorted(path.name for path in (installation.data_dir / "keys" / "retired").iterdir())
    with installation.serving():
        push(installation, tmp_path / "bundles")
        installation.wait_idle()
        again: dict[str, Any] = dict(installation.sql(PERSONS.format(stays(installation))))
    assert again == after
    assert snds_gateway("audit", "verify", "--data-dir", data_dir).returncode == 0
