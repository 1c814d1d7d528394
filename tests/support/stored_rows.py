"""Everything that the tables of a database hold, to be compared before and after."""

from __future__ import annotations

from typing import Any

from streaming.postgres import PostgresConnection


def rows(postgres: PostgresConnection) -> dict[str, list[Any]]:
    """Return every row of every table, by table."""
    with postgres.open() as session:
        names = session.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'snds' ORDER BY 1"
        ).fetchall()
        return {name: sorted(session.execute(f'SELECT * FROM snds."{name}"').fetchall(), key=repr) for (name,) in names}
