-- Rows that are written together become neighbours, so that a commit writes few pages of the log.
-- New blobs have the next numbers and a popular one has always the same, but digests come in no
-- order, and neither do the repositories of one moment.

-- What in the tree may differ from these tables. A row names an owner, not an operation.
-- `kind`: 1 a blob, 2 a link to one, 3 a manifest, 4 a tag.
-- `blob_id` is 0 for a tag and `repository_id` for a blob; `tag` is empty for all but a tag.
CREATE TABLE queued (
    kind INTEGER NOT NULL,
    blob_id INTEGER NOT NULL,
    repository_id INTEGER NOT NULL,
    tag TEXT NOT NULL,
    sequence INTEGER NOT NULL UNIQUE,
    queued_at INTEGER NOT NULL,
    PRIMARY KEY (kind, blob_id, repository_id, tag)
) STRICT, WITHOUT ROWID;

INSERT INTO blobs (digest, size, state, verified, state_since)
SELECT name, 0, 0, 0, unixepoch() * 1000 FROM projections WHERE kind < 4
UNION
SELECT name, 0, 0, 0, unixepoch() * 1000 FROM touched WHERE kind < 4
ON CONFLICT DO NOTHING;

INSERT INTO queued (kind, blob_id, repository_id, tag, sequence, queued_at)
SELECT p.kind, b.id, p.repository_id, '', p.sequence, p.queued_at
FROM projections p JOIN blobs b ON b.digest = p.name WHERE p.kind < 4
UNION ALL
SELECT kind, 0, repository_id, CAST(name AS TEXT), sequence, queued_at
FROM projections WHERE kind = 4;

DROP TABLE projections;
ALTER TABLE queued RENAME TO projections;

-- What a client has changed in this run in a repository that is not complete yet.
-- What the tree said of it before is history, even when the projection has long caught up.
CREATE TABLE changed (
    repository_id INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    blob_id INTEGER NOT NULL,
    tag TEXT NOT NULL,
    PRIMARY KEY (repository_id, kind, blob_id, tag)
) STRICT, WITHOUT ROWID;

INSERT INTO changed (repository_id, kind, blob_id, tag)
SELECT t.repository_id, t.kind, b.id, ''
FROM touched t JOIN blobs b ON b.digest = t.name WHERE t.kind < 4
UNION ALL
SELECT repository_id, kind, 0, CAST(name AS TEXT) FROM touched WHERE kind = 4;

DROP TABLE touched;
ALTER TABLE changed RENAME TO touched;

-- What its repository may not need any more, and since when: a row is made by whatever takes a
-- last use away or comes without one, and goes with the next use.
-- `kind`: 1 a blob that no manifest names, 2 a manifest without a tag, 3 a file that nobody holds
-- (its repository is 0). `since` is the largest number while a folder is still being adopted.
CREATE TABLE looked_at (
    blob_id INTEGER NOT NULL,
    repository_id INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (blob_id, repository_id, kind)
) STRICT, WITHOUT ROWID;

INSERT INTO looked_at (blob_id, repository_id, kind, since)
SELECT blob_id, repository_id, kind, since FROM reviews ORDER BY blob_id, repository_id, kind;

DROP TABLE reviews;
ALTER TABLE looked_at RENAME TO reviews;
CREATE INDEX reviews_by_date ON reviews (kind, since, repository_id, blob_id);
