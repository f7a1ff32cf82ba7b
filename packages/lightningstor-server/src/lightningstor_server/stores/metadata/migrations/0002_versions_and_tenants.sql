-- Versions newest first under their key, access control lists, the settings of buckets, quotas beside the counts.

CREATE TABLE versions_by_age (
    bucket BIGINT NOT NULL REFERENCES buckets (id),
    key BLOB NOT NULL,
    revision BIGINT NOT NULL,  -- the bucket's revision that made it
    version_id TEXT,  -- NULL is the null version, of which a key has at most one
    superseded BIGINT,  -- the bucket's revision that made it noncurrent; of a delete marker its own, so that none is ever current
    generation BIGINT NOT NULL,  -- counts changes of the metadata in place
    size BIGINT NOT NULL,
    etag TEXT NOT NULL,
    modified BIGINT NOT NULL,
    storage_class TEXT NOT NULL,
    sums TEXT NOT NULL,
    sum_type TEXT,
    parts_count INTEGER,
    meta TEXT NOT NULL,
    acl TEXT,  -- JSON; NULL is the bucket's owner alone
    tags TEXT,  -- JSON
    lock TEXT,  -- JSON: retention and legal hold
    body BIGINT NOT NULL,  -- of bodies, 0 of a delete marker; no foreign key, whose check would want an index that nothing else does
    PRIMARY KEY (bucket, key, revision DESC)
) WITHOUT ROWID;

INSERT INTO versions_by_age SELECT bucket, key, revision, version_id, superseded, generation, size, etag, modified,
    storage_class, sums, sum_type, parts_count, meta, NULL, NULL, NULL, body FROM versions;
DROP TABLE versions;
ALTER TABLE versions_by_age RENAME TO versions;

-- Listing and reading see the current versions alone, however many old ones and delete markers there are.
CREATE UNIQUE INDEX versions_current ON versions (bucket, key) WHERE superseded IS NULL;
CREATE UNIQUE INDEX versions_null ON versions (bucket, key) WHERE version_id IS NULL AND superseded IS NOT NULL;

ALTER TABLE uploads ADD COLUMN acl TEXT;
ALTER TABLE uploads ADD COLUMN tags TEXT;
ALTER TABLE uploads ADD COLUMN lock TEXT;
ALTER TABLE uploads ADD COLUMN initiator TEXT;  -- JSON, who began it; NULL is the bucket's owner

CREATE TABLE settings (
    bucket BIGINT NOT NULL REFERENCES buckets (id),
    name TEXT NOT NULL,  -- a field of BucketSettings
    document TEXT NOT NULL,  -- JSON
    PRIMARY KEY (bucket, name)
) WITHOUT ROWID;

CREATE INDEX settings_by_name ON settings (name, bucket);

ALTER TABLE organisations ADD COLUMN created BIGINT NOT NULL DEFAULT 0;
ALTER TABLE projects ADD COLUMN created BIGINT NOT NULL DEFAULT 0;
ALTER TABLE principals ADD COLUMN created BIGINT NOT NULL DEFAULT 0;
ALTER TABLE access_keys ADD COLUMN created BIGINT NOT NULL DEFAULT 0;
CREATE INDEX access_keys_of_principal ON access_keys (principal);

-- How many buckets a project and an organisation have, and the most that a scope may hold; NULL is no limit.
ALTER TABLE usage ADD COLUMN buckets BIGINT NOT NULL DEFAULT 0;
ALTER TABLE usage ADD COLUMN objects_max BIGINT;
ALTER TABLE usage ADD COLUMN bytes_max BIGINT;
ALTER TABLE usage ADD COLUMN buckets_max BIGINT;
UPDATE usage SET buckets = (SELECT count(*) FROM buckets WHERE 'p' || project = scope OR 'o' || organisation = scope);
