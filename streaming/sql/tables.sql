-- D/tables.duckdb. `rows` holds the rows with the person that owns them (a number of ops.sqlite, of no meaning
-- elsewhere); `main` holds views with the official names, columns and order.
CREATE SCHEMA IF NOT EXISTS rows;
CREATE SCHEMA IF NOT EXISTS marks;
CREATE TABLE IF NOT EXISTS marks.change (number BIGINT NOT NULL);
CREATE TABLE IF NOT EXISTS marks.unpublished (name VARCHAR NOT NULL);
-- a range of owners, whose rows readers find in one file; NULL: all of the table
ALTER TABLE marks.unpublished ADD COLUMN IF NOT EXISTS part BIGINT;
CREATE TABLE IF NOT EXISTS marks.hidden (owner BIGINT NOT NULL);
