-- Which run of the server this is; one row.
-- `all_complete`: everything the tree says of any repository was taken in during this run.
CREATE TABLE run (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    generation INTEGER NOT NULL,
    running INTEGER NOT NULL,
    all_complete INTEGER NOT NULL
) STRICT;
INSERT INTO run (id, generation, running, all_complete) VALUES (1, 0, 0, 0);

-- `listed`: it has a manifest or a tag, so the catalog shows it.
-- `complete_run`: the generation in which everything the tree says of it was taken in.
CREATE TABLE repositories (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    listed INTEGER NOT NULL DEFAULT 0,
    complete_run INTEGER
) STRICT;
CREATE INDEX repositories_listed ON repositories (name) WHERE listed = 1;

-- Every digest that anything here is about, so that the other tables refer to it by a number:
-- digests come in no order, and each index over them would be written all over.
-- `state`: 0 only named, 1 present, 2 bad; the states of collection follow these.
-- `verified`: this registry has hashed the content, so that its size cannot be another one.
-- A blob stays when no repository holds it any more, until it is released.
CREATE TABLE blobs (
    id INTEGER PRIMARY KEY,
    digest BLOB NOT NULL UNIQUE,
    size INTEGER NOT NULL,
    state INTEGER NOT NULL,
    verified INTEGER NOT NULL,
    state_since INTEGER NOT NULL
) STRICT;

-- What is acknowledged but not yet a synced file.
CREATE TABLE blob_bytes (
    blob_id INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL
) STRICT;

-- `target_id` differs from `blob_id` for an alias: a link that says another digest than its name.
CREATE TABLE repository_blobs (
    repository_id INTEGER NOT NULL,
    blob_id INTEGER NOT NULL,
    target_id INTEGER NOT NULL,
    PRIMARY KEY (repository_id, blob_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX repository_blobs_by_blob ON repository_blobs (blob_id, repository_id);
CREATE INDEX repository_blobs_by_target ON repository_blobs (target_id, repository_id)
    WHERE target_id <> blob_id;

-- Payloads have a table of their own, so that a page of this one holds many rows.
CREATE TABLE manifests (
    id INTEGER PRIMARY KEY,
    repository_id INTEGER NOT NULL,
    blob_id INTEGER NOT NULL,
    media_type TEXT NOT NULL,
    schema1 INTEGER NOT NULL,
    expressible INTEGER NOT NULL,
    size INTEGER NOT NULL,
    subject_id INTEGER,
    artifact_type TEXT,
    created_at INTEGER NOT NULL,
    UNIQUE (repository_id, blob_id)
) STRICT;
CREATE INDEX manifests_by_blob ON manifests (blob_id);
CREATE INDEX manifests_by_subject ON manifests (repository_id, subject_id, blob_id)
    WHERE subject_id IS NOT NULL;
CREATE INDEX manifests_by_subject_and_type
    ON manifests (repository_id, subject_id, artifact_type, blob_id)
    WHERE subject_id IS NOT NULL;

CREATE TABLE manifest_payloads (
    manifest_id INTEGER PRIMARY KEY,
    payload BLOB NOT NULL
) STRICT;

-- What a manifest names. The size is the descriptor's, where it states one.
CREATE TABLE edges (
    manifest_id INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    blob_id INTEGER NOT NULL,
    repository_id INTEGER NOT NULL,
    size INTEGER,
    PRIMARY KEY (manifest_id, kind, blob_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX edges_by_target ON edges (blob_id, repository_id, kind);

-- The digest may have no manifest row: an adopted tag may outlive its revision.
CREATE TABLE tags (
    repository_id INTEGER NOT NULL,
    name TEXT NOT NULL,
    blob_id INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    PRIMARY KEY (repository_id, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX tags_by_target ON tags (repository_id, blob_id, name);

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

-- Digests that may have lost their last use, so that somebody looks at them.
-- `sequence` is one of the queue of the tree: what was queued there before has its turn first.
CREATE TABLE releases (
    blob_id INTEGER PRIMARY KEY,
    sequence INTEGER NOT NULL
) STRICT;
CREATE INDEX releases_by_sequence ON releases (sequence);

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
