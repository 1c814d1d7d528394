"""`ops` → resources that belong to nobody: they name no person, and no known Encounter says whose stay theirs is.

They are stored and wait; a Patient's Encounter that comes later gives them rows. Read only.
"""

from __future__ import annotations

from collections import Counter

from streaming.database import Database
from streaming.resources import persons_of_stays
from streaming.staging import STRUCTURES

UNLINKED = "resource-unlinked"
"""The counter of the quality report."""

# what the Encounters that declare the same alias say at once is left out here: what remains is looked at one by one
LOOSE = f"""
SELECT loose.finess, loose.stay, count(*) FROM resource AS loose
WHERE loose.person IS NULL AND loose.body IS NOT NULL
    AND loose.type NOT IN ({", ".join(f"'{one}'" for one in sorted(STRUCTURES))})
    AND NOT EXISTS (
        SELECT 1 FROM declared CROSS JOIN resource AS told ON told.finess = declared.finess AND told.key = declared.key
        WHERE declared.finess = loose.finess AND declared.kind = 'stay' AND declared.alias = loose.stay
            AND told.person IS NOT NULL)
GROUP BY loose.finess, loose.stay
"""  # noqa: S608 - types of our own


def unlinked(connection: Database) -> dict[str, int]:
    """Return FINESS → how many current resources, structures apart, belong to nobody known. Reads all of `ops`."""
    found: Counter[str] = Counter()
    for finess, stay, number in connection.execute(LOOSE).fetchall():
        if stay is None or not persons_of_stays(connection, finess, [stay]):
            found[finess] += number
    return dict(found)
