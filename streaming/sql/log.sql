-- D/events.sqlite: the embedded log. One partition (0), offsets from 1 without a gap.
CREATE TABLE IF NOT EXISTS identity (
    id TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS event (
    "offset" INTEGER PRIMARY KEY AUTOINCREMENT,
    key      TEXT NOT NULL,
    headers  TEXT NOT NULL,   -- JSON object, CloudEvents binary mode
    value    BLOB NOT NULL    -- de-identified FHIR Bundle, UTF-8 JSON
);
-- What the gateways accepted and refused, in entries.
CREATE TABLE IF NOT EXISTS count (
    finess     TEXT PRIMARY KEY,
    received   INTEGER NOT NULL,
    refused    INTEGER NOT NULL,
    suppressed INTEGER NOT NULL,
    published  INTEGER NOT NULL
) WITHOUT ROWID;
-- The register of oppositions, limitations and erasures: pseudonyms only. The last entry of an id counts.
CREATE TABLE IF NOT EXISTS act (
    id     TEXT PRIMARY KEY,
    number INTEGER NOT NULL,   -- grows with each change
    body   BLOB NOT NULL       -- JSON
) WITHOUT ROWID;
