-- Platform keys by the id that events carry, with the receipt of the first event seen under each; and the events that
-- hold level 1 made with another one than the first key seen (`note`).
CREATE TABLE ops.platform_key (
    id    TEXT PRIMARY KEY,
    since BIGINT NOT NULL    -- ce_time, nanoseconds
);
CREATE TABLE ops.event_key (
    event_id TEXT PRIMARY KEY,
    platform TEXT NOT NULL
);
