-- D/ops.sqlite: the table writer's state (DESIGN §6). Readable by every process, written by one.

-- Names, counters and marks of the writer itself.
CREATE TABLE IF NOT EXISTS counter (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS note (
    name TEXT PRIMARY KEY,
    text TEXT NOT NULL
) WITHOUT ROWID;

-- Last offset applied of each partition, and of which log.
CREATE TABLE IF NOT EXISTS stored_offset (
    partition INTEGER PRIMARY KEY,
    log       TEXT NOT NULL,
    position  INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS seen (
    event_id TEXT PRIMARY KEY
) WITHOUT ROWID;

-- Platform keys by the id that events carry, with the receipt of the first event seen under each; and the events that
-- hold level 1 made with another one than the first key seen (`note`).
CREATE TABLE IF NOT EXISTS platform_key (
    id    TEXT PRIMARY KEY,
    since INTEGER NOT NULL    -- ce_time, nanoseconds
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS event_key (
    event_id TEXT PRIMARY KEY,
    platform TEXT NOT NULL
) WITHOUT ROWID;

-- The current version of each resource or fact; body NULL once deleted.
CREATE TABLE IF NOT EXISTS resource (
    id         INTEGER PRIMARY KEY,
    finess     TEXT NOT NULL,
    key        TEXT NOT NULL,
    type       TEXT NOT NULL,
    stamped    INTEGER NOT NULL,   -- 1 when meta.lastUpdated orders it
    stamp      INTEGER NOT NULL,   -- nanoseconds: lastUpdated, else Bundle.timestamp, else ce_time
    version_id INTEGER NOT NULL,
    received   INTEGER NOT NULL,   -- ce_time, nanoseconds
    event_id   TEXT NOT NULL,
    entry      INTEGER NOT NULL,
    person     TEXT,               -- person alias it refers to (its own first one for a Patient)
    stay       TEXT,               -- stay alias it refers to (its own first one for an Encounter)
    body       BLOB,
    top        INTEGER,            -- highest lastUpdated ever received
    top_first  INTEGER,            -- first receipt of a version stamped so
    deleted_at INTEGER,            -- receipt of the last DELETE
    spares     INTEGER NOT NULL DEFAULT 0,   -- rows in `spare`
    UNIQUE (finess, key)
);
CREATE INDEX IF NOT EXISTS resource_person ON resource (finess, person) WHERE person IS NOT NULL;
CREATE INDEX IF NOT EXISTS resource_stay ON resource (finess, stay) WHERE person IS NULL AND stay IS NOT NULL;

-- Losing versions that a DELETE arriving out of order could bring back.
CREATE TABLE IF NOT EXISTS spare (
    finess     TEXT NOT NULL,
    key        TEXT NOT NULL,
    stamped    INTEGER NOT NULL,
    stamp      INTEGER NOT NULL,
    version_id INTEGER NOT NULL,
    received   INTEGER NOT NULL,
    event_id   TEXT NOT NULL,
    entry      INTEGER NOT NULL,
    person     TEXT,
    stay       TEXT,
    body       BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS spare_key ON spare (finess, key);

-- Alias edges: what the current versions of Patient ("person") and Encounter ("stay") declare.
CREATE TABLE IF NOT EXISTS declared (
    finess TEXT NOT NULL,
    kind   TEXT NOT NULL,
    alias  TEXT NOT NULL,
    key    TEXT NOT NULL,
    PRIMARY KEY (finess, kind, alias, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS declared_key ON declared (finess, key, kind);

-- Reverse index: which resources refer to a structure (Organization, Location, Medication…). What a resource refers
-- to stands in its body: an index by key would be a page written at a random place for each.
CREATE TABLE IF NOT EXISTS refers (
    finess TEXT NOT NULL,
    target TEXT NOT NULL,
    key    TEXT NOT NULL,
    PRIMARY KEY (finess, target, key)
) WITHOUT ROWID;

-- Person aliases whose rows must be computed anew.
CREATE TABLE IF NOT EXISTS dirty (
    finess TEXT NOT NULL,
    alias  TEXT NOT NULL,
    PRIMARY KEY (finess, alias)
) WITHOUT ROWID;

-- Persons as last written: their aliases, the tables that hold rows of them, their stays.
CREATE TABLE IF NOT EXISTS owner (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    finess TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS owner_alias (
    finess TEXT NOT NULL,
    alias  TEXT NOT NULL,       -- "" for the hospital itself
    owner  INTEGER NOT NULL,    -- several while a change is under way
    PRIMARY KEY (finess, alias, owner)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS owner_alias_owner ON owner_alias (owner);
CREATE TABLE IF NOT EXISTS owner_table (
    owner INTEGER NOT NULL,
    name  TEXT NOT NULL,
    PRIMARY KEY (owner, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS stay (
    owner     INTEGER NOT NULL,
    key       TEXT NOT NULL,
    finess    TEXT NOT NULL,
    status    TEXT NOT NULL,
    exit_year INTEGER,
    rsa_num   TEXT,
    reason    TEXT,
    event_id  TEXT,
    entry     INTEGER,
    PRIMARY KEY (owner, key)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS stay_status ON stay (status);
CREATE INDEX IF NOT EXISTS stay_key ON stay (finess, key);
CREATE TABLE IF NOT EXISTS exit (
    finess TEXT NOT NULL,
    year   INTEGER NOT NULL,
    month  INTEGER NOT NULL,
    owner  INTEGER NOT NULL,
    stays  INTEGER NOT NULL,
    PRIMARY KEY (finess, year, month, owner)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS exit_owner ON exit (owner);
CREATE TABLE IF NOT EXISTS dirty_year (
    finess TEXT NOT NULL,
    year   INTEGER NOT NULL,
    PRIMARY KEY (finess, year)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS quality (
    owner INTEGER NOT NULL,
    code  TEXT NOT NULL,
    n     INTEGER NOT NULL,
    PRIMARY KEY (owner, code)
) WITHOUT ROWID;

-- RSA_NUM, given once and kept.
CREATE TABLE IF NOT EXISTS rsa_number (
    finess  TEXT NOT NULL,
    year    INTEGER NOT NULL,
    rsa_num TEXT NOT NULL,
    stay    TEXT NOT NULL,
    PRIMARY KEY (finess, year, rsa_num)
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS rsa_number_stay ON rsa_number (finess, stay, year);

-- Events that could not be applied: de-identified, with a code, never an exception text.
CREATE TABLE IF NOT EXISTS dead_letter (
    id        INTEGER PRIMARY KEY,
    partition INTEGER NOT NULL,
    "offset"  INTEGER NOT NULL,
    event_id  TEXT NOT NULL,
    key       TEXT NOT NULL,
    headers   TEXT NOT NULL,
    value     BLOB NOT NULL,
    code      TEXT NOT NULL,
    stage     TEXT NOT NULL,
    UNIQUE (partition, "offset")
);

-- What each act of the register removed; `keys` is how many keys it had then, -1 while it is under way.
CREATE TABLE IF NOT EXISTS act_done (
    id           TEXT PRIMARY KEY,
    keys         INTEGER NOT NULL,
    done_at      TEXT,
    resources    INTEGER NOT NULL,
    table_rows   INTEGER NOT NULL,
    dead_letters INTEGER NOT NULL
) WITHOUT ROWID;
