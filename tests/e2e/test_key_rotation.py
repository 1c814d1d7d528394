"""A new key: every pseudonym is another one, the same persons are the same persons, who objected stays out (P15)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.synthetic.scene import Hospital
from gateway.synthetic.writing import write_stays
from tests.e2e.test_rights import OBJECTING, OTHER, STAYING
from tests.support.installation import FINESS, Installation, snds_gateway
from tests.support.serving import until

pytestmark = pytest.mark.slow
WORKERS = 2
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


def taken_by(installation: Installation, said_before: int) -> set[str]:
    """Return the workers that have read contracts and keys again since the log was that long."""
    lines = installation.log.read_bytes()[said_before:].splitlines(keepends=True)
    told = [json.loads(line) for line in lines if line.startswith(b"{") and line.endswith(b"\n")]
    return {one["process"] for one in told if one["event"] == "contracts-read"}


def level_one(where: tuple[str, str]) -> tuple[int, int]:
    """Return the exit code of `keys check --history`, and how many persons are under a replaced key."""
    done = snds_gateway("keys", "check", *where, "--history", "--format", "json", check=False)
    return done.returncode, json.loads(done.stdout)["history"]["replaced"]


def test_a_new_platform_key_is_taken_without_a_stop_and_who_objected_stays_out(tmp_path: Path) -> None:
    write_stays(tmp_path / "bundles", seed=9, stays=10, hospital=Hospital(FINESS), wrote=lambda _: None)
    installation = Installation(tmp_path / "data", "--test-identities", "--french-profiles", "declared")
    where = ("--data-dir", str(installation.data_dir))
    snds_gateway("hospital", "add", *where, "--finess", OTHER, "--test-identities", "--french-profiles", "declared")
    number_only = {"identifier": [OBJECTING["entry"][0]["resource"]["identifier"][-1]]}
    file = tmp_path / "patient.json"
    file.write_text(json.dumps({**OBJECTING["entry"][0]["resource"], **number_only} | {"id": "nobody"}))
    with installation.serving():
        push(installation, tmp_path / "bundles")
        installation.post(STAYING)
        snds_gateway("rights", "oppose", *where, "--finess", FINESS, "--patient", str(file), "--platform")
        installation.wait_idle()
        before = dict(installation.sql(PERSONS.format(stays(installation))))
        shape = installation.sql(SHAPE.format(stays(installation)))
        said_before = installation.log.stat().st_size
        complete = level_one(where)

        snds_gateway("keys", "rotate", "platform", *where)
        left = [level_one(where)]
        until(lambda: len(taken_by(installation, said_before)) == WORKERS)
        push(installation, tmp_path / "bundles")
        opposed = installation.post(OBJECTING, name=OTHER)  # known there by its number alone, under the old key
        accounts = installation.wait_idle()
        after = dict(installation.sql(PERSONS.format(stays(installation))))
        left.append(level_one(where))

        assert complete == (0, 0)
        assert opposed.status_code == 200, opposed.text
        assert accounts["suppressed"] == 3
        assert len(before) > 5
        assert len(set(before) & set(after)) == 1  # who is not sent again keeps its value
        installation.post(STAYING)
        installation.wait_idle()
        left.append(level_one(where))
        assert left == [(1, len(before)), (1, 1), (0, 0)]  # exit code, and who was not sent again yet
        assert not set(before) & set(dict(installation.sql(PERSONS.format(stays(installation)))))
        assert installation.sql(SHAPE.format(stays(installation))) == shape
        [retired] = (installation.data_dir / "keys" / "retired").iterdir()
        again = snds_gateway("keys", "rotate", "platform", *where, "--platform-key", str(retired), check=False)
        assert again.returncode == 78  # a key never comes back
        assert snds_gateway("rights", "withdraw", *where, "--finess", FINESS, "--patient", str(file), "--platform")
        installation.post(OBJECTING | {"timestamp": "2026-02-01T00:00:00Z"}, name=OTHER)
        assert installation.wait_idle()["suppressed"] == 3
    assert snds_gateway("audit", "verify", *where).returncode == 0
