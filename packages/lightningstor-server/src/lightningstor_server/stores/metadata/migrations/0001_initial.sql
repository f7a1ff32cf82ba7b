-- The shape of the store. Keys are bytes: byte order is S3's order, and PostgreSQL's text refuses U+0000.
-- Times are microseconds since 1970-01-01 UTC. Order never comes from them, but from revisions.

CREATE TABLE configuration (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

CREATE TABLE organisations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given again
    name TEXT NOT NULL UNIQUE
);

CREATE TABLE projects (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given again
    organisation INTEGER NOT NULL REFERENCES organisations (id),
    name TEXT NOT NULL,
    display_name TEXT NOT NULL,
    email TEXT NOT NULL,
    canonical_id TEXT NOT NULL UNIQUE,
    UNIQUE (organisation, name)
);

CREATE TABLE principals (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given again
    project INTEGER NOT NULL REFERENCES projects (id),
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    UNIQUE (project, name)
);

CREATE TABLE access_keys (
    id TEXT PRIMARY KEY,
    principal INTEGER NOT NULL REFERENCES principals (id),
    secret BLOB NOT NULL,  -- sealed under the master key
    active INTEGER NOT NULL
);

CREATE TABLE buckets (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given again
    namespace TEXT NOT NULL,  -- within what the name is unique
    name TEXT NOT NULL,
    organisation INTEGER NOT NULL REFERENCES organisations (id),
    project INTEGER NOT NULL REFERENCES projects (id),
    region TEXT NOT NULL,
    created BIGINT NOT NULL,
    generation BIGINT NOT NULL,  -- counts changes of this row's configuration
    revision BIGINT NOT NULL,  -- counts mutations of the bucket's objects
    labels TEXT NOT NULL,
    UNIQUE (namespace, name)
);

CREATE INDEX buckets_of_project ON buckets (project, name);

-- What the bodies of objects and parts are made of: bytes inline, or pieces of chunks.
CREATE TABLE bodies (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given again
    inline BLOB,
    inline_sum BIGINT,  -- CRC32C of inline
    part_sizes TEXT  -- JSON, of a completed upload
);

CREATE TABLE chunks (
    id BLOB PRIMARY KEY,
    directory TEXT NOT NULL,
    length BIGINT NOT NULL,
    block_sums BLOB NOT NULL,
    format INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE pieces (
    body BIGINT NOT NULL REFERENCES bodies (id),
    start BIGINT NOT NULL,  -- of this piece within the body, in bytes
    chunk BLOB NOT NULL REFERENCES chunks (id),
    chunk_offset BIGINT NOT NULL,
    length BIGINT NOT NULL,
    PRIMARY KEY (body, start)
) WITHOUT ROWID;

CREATE INDEX pieces_of_chunk ON pieces (chunk);

-- Chunks that nothing refers to. Their files go after a grace, their rows after their files.
CREATE TABLE garbage (
    chunk BLOB PRIMARY KEY,
    directory TEXT NOT NULL,
    since BIGINT NOT NULL
) WITHOUT ROWID;

CREATE INDEX garbage_since ON garbage (since);

-- Orphans that were condemned, for good: a body that comes later must never name one, whose file is gone or going.
CREATE TABLE condemned (
    chunk BLOB PRIMARY KEY
) WITHOUT ROWID;

CREATE TABLE versions (
    bucket BIGINT NOT NULL REFERENCES buckets (id),
    key BLOB NOT NULL,
    revision BIGINT NOT NULL,  -- the bucket's revision that made it
    version_id TEXT,
    superseded BIGINT,  -- the bucket's revision that made it noncurrent
    delete_marker INTEGER NOT NULL,
    generation BIGINT NOT NULL,  -- counts changes of the metadata in place
    size BIGINT NOT NULL,
    etag TEXT NOT NULL,
    modified BIGINT NOT NULL,
    storage_class TEXT NOT NULL,
    sums TEXT NOT NULL,
    sum_type TEXT,
    parts_count INTEGER,
    meta TEXT NOT NULL,
    body BIGINT NOT NULL,  -- of bodies; no foreign key, whose check would want an index that nothing else does
    PRIMARY KEY (bucket, key, revision)
) WITHOUT ROWID;

-- Listing and reading see the current versions alone, however many old ones there are.
CREATE UNIQUE INDEX versions_current ON versions (bucket, key) WHERE superseded IS NULL;

CREATE TABLE uploads (
    id TEXT PRIMARY KEY,
    bucket BIGINT NOT NULL REFERENCES buckets (id),
    key BLOB NOT NULL,
    ordinal BIGINT NOT NULL,  -- the bucket's revision that began it; the order among uploads of one key
    initiated BIGINT NOT NULL,
    storage_class TEXT NOT NULL,
    checksum_algorithm TEXT,
    checksum_type TEXT,
    meta TEXT NOT NULL,
    completed TEXT,  -- what it became, kept for retries of the completion
    completed_at BIGINT
);

CREATE INDEX uploads_of_bucket ON uploads (bucket, key, ordinal);

CREATE TABLE parts (
    upload TEXT NOT NULL REFERENCES uploads (id),
    number INTEGER NOT NULL,
    size BIGINT NOT NULL,
    etag TEXT NOT NULL,
    sums TEXT NOT NULL,
    modified BIGINT NOT NULL,
    body BIGINT NOT NULL,
    PRIMARY KEY (upload, number)
) WITHOUT ROWID;

-- Exact counts, changed in the transaction of what they count. Scopes: b<id>, p<id>, o<id>.
CREATE TABLE usage (
    scope TEXT PRIMARY KEY,
    objects BIGINT NOT NULL DEFAULT 0,
    bytes BIGINT NOT NULL DEFAULT 0,
    uploads_bytes BIGINT NOT NULL DEFAULT 0
) WITHOUT ROWID;

INSERT INTO configuration (name, value) VALUES ('generation', '1');
