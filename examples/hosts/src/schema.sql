-- Servers that start at once make the tables one after the other.
SELECT pg_advisory_xact_lock(20261129);

-- Who calls. `token` is the SHA-256 of a bearer token; a caller without `patient` sees all.
CREATE TABLE IF NOT EXISTS caller (
    token bytea PRIMARY KEY,
    tenant text NOT NULL,
    name text NOT NULL,
    patient text,
    may_write boolean NOT NULL
);

-- `patient` is the compartment that `Binary.securityContext` names.
CREATE TABLE IF NOT EXISTS "binary" (
    tenant text NOT NULL,
    id text NOT NULL,
    patient text NOT NULL,
    content_type text NOT NULL,
    deleted timestamptz,
    PRIMARY KEY (tenant, id)
);

-- The primary key lets one of two uploads win. `is_clean` is null until a scan is done.
CREATE TABLE IF NOT EXISTS version (
    tenant text NOT NULL,
    id text NOT NULL,
    number bigint NOT NULL,
    place text NOT NULL,
    length bigint NOT NULL,
    sha256 bytea NOT NULL,
    written timestamptz NOT NULL DEFAULT now(),
    is_clean boolean,
    PRIMARY KEY (tenant, id, number),
    UNIQUE (tenant, place),
    FOREIGN KEY (tenant, id) REFERENCES "binary"
);
CREATE INDEX IF NOT EXISTS quarantine ON version (tenant) WHERE is_clean IS NULL;

-- Content whose record is gone, and whose bytes are still to be discarded.
CREATE TABLE IF NOT EXISTS discard (
    tenant text NOT NULL,
    place text NOT NULL,
    PRIMARY KEY (tenant, place)
);

-- Content that a scan has found clean.
CREATE TABLE IF NOT EXISTS clean (
    sha256 bytea PRIMARY KEY
);

-- The audit trail: each URL that was handed out, and each use of one.
CREATE TABLE IF NOT EXISTS url (
    id text PRIMARY KEY,
    tenant text NOT NULL,
    caller text NOT NULL,
    "binary" text NOT NULL,
    version text NOT NULL,
    access text NOT NULL,
    minted timestamptz NOT NULL DEFAULT now(),
    expires timestamptz NOT NULL,
    used timestamptz,
    revoked timestamptz
);
CREATE TABLE IF NOT EXISTS url_use (
    url text NOT NULL REFERENCES url,
    at timestamptz NOT NULL DEFAULT now(),
    event text NOT NULL,
    bytes bigint,
    seconds double precision
);
