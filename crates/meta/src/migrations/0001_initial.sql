-- Which run of the server this is; one row.
CREATE TABLE run (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    generation INTEGER NOT NULL,
    running INTEGER NOT NULL
) STRICT;
INSERT INTO run (id, generation, running) VALUES (1, 0, 0);

-- The last sequence number that the projection queue has given away; one row.
CREATE TABLE projection_sequence (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    value INTEGER NOT NULL
) STRICT;
INSERT INTO projection_sequence (id, value) VALUES (1, 0);

-- `listed`: it has a manifest or a tag, so the catalog shows it.
-- `complete_run`: the generation in which everything the tree says of it was taken in.
CREATE TABLE repositories (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    listed INTEGER NOT NULL DEFAULT 0,
    complete_run INTEGER
) STRICT;
CREATE INDEX repositories_listed ON repositories (name) WHERE listed = 1;

-- A blob stays when no repository holds it any more, until it is collected.
-- `state`: 1 present, 2 bad; the states of collection follow these.
-- `verified`: this registry has hashed the content, so that its size cannot be another one.
CREATE TABLE blobs (
    digest BLOB PRIMARY KEY,
    size INTEGER NOT NULL,
    state INTEGER NOT NULL,
    verified INTEGER NOT NULL,
    state_since INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What is acknowledged but not yet a synced file.
CREATE TABLE blob_bytes (
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    bytes BLOB NOT NULL
) STRICT;

-- `target` differs from `digest` for an alias: a link that says another digest than its name.
CREATE TABLE repository_blobs (
    repository_id INTEGER NOT NULL,
    digest BLOB NOT NULL,
    target BLOB NOT NULL,
    PRIMARY KEY (repository_id, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX repository_blobs_by_digest ON repository_blobs (digest, repository_id);
CREATE INDEX repository_blobs_by_target ON repository_blobs (target, repository_id);

-- Payloads have a table of their own, so that a page of this one holds many rows.
CREATE TABLE manifests (
    id INTEGER PRIMARY KEY,
    repository_id INTEGER NOT NULL,
    digest BLOB NOT NULL,
    media_type TEXT NOT NULL,
    schema1 INTEGER NOT NULL,
    expressible INTEGER NOT NULL,
    size INTEGER NOT NULL,
    subject BLOB,
    artifact_type TEXT,
    created_at INTEGER NOT NULL,
    UNIQUE (repository_id, digest)
) STRICT;
CREATE INDEX manifests_by_subject ON manifests (repository_id, subject, digest)
    WHERE subject IS NOT NULL;
CREATE INDEX manifests_by_subject_and_type
    ON manifests (repository_id, subject, artifact_type, digest)
    WHERE subject IS NOT NULL;

CREATE TABLE manifest_payloads (
    manifest_id INTEGER PRIMARY KEY,
    payload BLOB NOT NULL
) STRICT;

-- What a manifest names. The size is the descriptor's, where it states one.
CREATE TABLE edges (
    manifest_id INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    digest BLOB NOT NULL,
    repository_id INTEGER NOT NULL,
    size INTEGER,
    PRIMARY KEY (manifest_id, kind, digest)
) STRICT, WITHOUT ROWID;
CREATE INDEX edges_by_target ON edges (digest, repository_id, kind);

-- The digest may have no manifest row: an adopted tag may outlive its revision.
CREATE TABLE tags (
    repository_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    digest BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (repository_id, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX tags_by_digest ON tags (repository_id, digest, name);

-- What in the tree may differ from these tables. A row names an owner, not an operation.
-- `repository_id` is 0 for a blob; `name` is a digest's bytes or a tag's.
CREATE TABLE projections (
    repository_id INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    name BLOB NOT NULL,
    sequence INTEGER NOT NULL UNIQUE,
    queued_at INTEGER NOT NULL,
    PRIMARY KEY (repository_id, kind, name)
) STRICT, WITHOUT ROWID;

-- What a client has changed in this run in a repository that is not complete yet.
-- What the tree said of it before is history, even when the projection has long caught up.
CREATE TABLE touched (
    repository_id INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    name BLOB NOT NULL,
    PRIMARY KEY (repository_id, kind, name)
) STRICT, WITHOUT ROWID;

-- `repository` is empty where a finding is not about one.
CREATE TABLE findings (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    repository TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL,
    found_at INTEGER NOT NULL,
    seen_at INTEGER NOT NULL,
    UNIQUE (subject, kind, repository)
) STRICT;
