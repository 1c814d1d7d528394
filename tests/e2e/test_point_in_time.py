"""The base backup of the operator's guide: the database goes back to a moment before a mistake, the writer goes on."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.synthetic.scene import Hospital
from gateway.synthetic.writing import write_stays
from streaming.postgres import PostgresConnection
from tests.support.installation import FINESS, Installation, snds_gateway
from tests.support.postgres_server import DATA, PostgresServer, missing, running_postgres
from tests.support.serving import until
from tests.support.stored_rows import rows

pytestmark = [pytest.mark.slow, pytest.mark.skipif(missing() is not None, reason=missing() or "")]
GUIDE = (Path(__file__).resolve().parents[2] / "docs" / "operation.md").read_text(encoding="utf-8")
MOMENT = "before the mistake"


def settings(first: str, archive: Path) -> list[str]:
    """Return the settings of the guide that begin with this one, with our archive in the place of its own."""
    [block] = [one for one in re.findall(r"```ini\n(.*?)```", GUIDE, re.DOTALL) if one.startswith(first)]
    pairs = [line.split(" = ", 1) for line in block.splitlines()]
    return [f"{name}={value.strip(chr(39)).replace('/backup/wal', str(archive))}" for name, value in pairs]


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that the servers' own user may write to."""
    folder = PostgresServer.folder_for_all()
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def use(installation: Installation, database: PostgresConnection) -> None:
    file = installation.data_dir / "gateway.toml"
    kept = [line for line in file.read_text().splitlines() if not line.startswith(("sink", "postgres_dsn"))]
    file.write_text("\n".join([*kept, 'sink = "postgresql"', f'postgres_dsn = "{database.dsn}"', ""]))


def push(installation: Installation, *bundles: Path) -> None:
    key = installation.data_dir / "credentials" / f"{FINESS}.key"
    snds_gateway("push", *map(str, bundles), "--url", installation.url, "--key-file", str(key), check=False)
    assert installation.wait_idle()["lag"] == 0


def archived_up_to_the_moment(server: PostgresServer, archive: Path) -> None:
    """Name the moment, let somebody make a mistake after it, and wait until the archive holds both."""
    with server.database("snds").open() as session:
        [segment] = session.execute("SELECT pg_walfile_name(pg_create_restore_point(%s))", [MOMENT]).fetchone() or ()
        session.execute("DROP VIEW snds.t_mco24b")
        session.execute("DELETE FROM ops.stored_offset")
    with server.connection.open() as session:
        session.execute("SELECT pg_switch_wal()")
    until((archive / segment).exists)


def test_an_archived_segment_is_whole_or_not_there_and_is_never_replaced(tmp_path: Path) -> None:
    archive, segment = tmp_path / "wal", tmp_path / "000000010000000000000003"
    archive.mkdir()
    segment.write_bytes(b"whole")
    [setting] = [one for one in settings("archive_mode", archive) if one.startswith("archive_command=")]
    command = setting.partition("=")[2].replace("%p", str(segment)).replace("%f", segment.name)
    (archive / f"{segment.name}.part").write_bytes(b"wh")  # what a server that was killed left

    def archived() -> int:
        return subprocess.run(["sh", "-c", command], check=False).returncode

    assert archived() == archived() == 0  # the second time it knows that it is there
    assert {one.name: one.read_bytes() for one in archive.iterdir()} == {segment.name: b"whole"}
    segment.write_bytes(b"other")
    assert archived() != 0
    assert (archive / segment.name).read_bytes() == b"whole"


def test_a_database_brought_to_a_moment_before_a_mistake_goes_on_without_loss_or_doubles(
    place: Path, tmp_path: Path
) -> None:
    write_stays(tmp_path / "bundles", seed=9, stays=12, hospital=Hospital(FINESS), wrote=lambda _: None)
    bundles = sorted((tmp_path / "bundles").glob("0*.json"))
    installation = Installation(tmp_path / "data", "--test-identities")
    archive, base = place / "wal", place / "restored"
    options = re.findall(r"^pg_basebackup (.*)$", GUIDE, re.MULTILINE)[0].split()
    with running_postgres(options=settings("archive_mode", archive)) as server:
        server.own(archive)
        use(installation, server.create("snds"))
        with installation.serving():
            push(installation, *bundles[:5])
            server.base_backup(
                server.own(base) / DATA, *(one for one in options if one.startswith(("--checkpoint", "--wal-method")))
            )
            push(installation, *bundles[:9])
        expected = rows(server.database("snds"))
        archived_up_to_the_moment(server, archive)
        assert rows(server.database("snds")) != expected

    (base / DATA / "recovery.signal").touch()
    target = [one for one in settings("restore_command", archive) if not one.startswith("recovery_target_time")]
    with running_postgres(base, options=[*target, f"recovery_target_name={MOMENT}"]) as restored:
        database = restored.database("snds")
        until(lambda: promoted(database))
        after = rows(database)
        use(installation, database)
        with installation.serving():
            push(installation, *bundles)
            accounts = installation.wait_idle()
        finally_there = rows(database)
        rebuilt = snds_gateway("tables", "rebuild", "--data-dir", str(installation.data_dir))

    assert after == expected
    assert accounts["dead_letters"] == 0
    assert len(finally_there["ir_ben_r"]) >= len(expected["ir_ben_r"]) > 0
    assert "every row is as it was" in rebuilt.stdout


def promoted(database: PostgresConnection) -> bool:
    with database.open() as session:
        row = session.execute("SELECT pg_is_in_recovery()").fetchone()
    return row is not None and not row[0]
