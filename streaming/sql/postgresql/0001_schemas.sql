-- Roles and schemas. `snds` is what analysts read; `rows` holds the same rows with the person that owns them;
-- `ops` is the writers' state. Run by a role that may create roles, or after an administrator made these two.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'snds_writer') THEN
        CREATE ROLE snds_writer NOLOGIN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'snds_reader') THEN
        CREATE ROLE snds_reader NOLOGIN;
    END IF;
    IF NOT pg_has_role(current_user, 'snds_writer', 'MEMBER') THEN
        EXECUTE format('GRANT snds_writer TO %I', current_user);
    END IF;
END
$$;
CREATE SCHEMA ops AUTHORIZATION snds_writer;
CREATE SCHEMA rows AUTHORIZATION snds_writer;
CREATE SCHEMA snds AUTHORIZATION snds_writer;
COMMENT ON SCHEMA ops IS 'State of the table writers: level-1 pseudonyms and staged resources, never for readers of tables';
COMMENT ON SCHEMA rows IS 'Rows with their owner, behind the views of snds';
COMMENT ON SCHEMA snds IS 'Tables in the shape of the SNDS';
GRANT USAGE ON SCHEMA snds TO snds_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE snds_writer IN SCHEMA snds GRANT SELECT ON TABLES TO snds_reader;
CREATE TABLE ops.migration (
    version    BIGINT PRIMARY KEY,
    applied_at TIMESTAMPTZ NOT NULL DEFAULT now()
);
ALTER TABLE ops.migration OWNER TO snds_writer;
