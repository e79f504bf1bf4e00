-- What its repository may not need any more, and since when: a row is made by whatever takes a
-- last use away or comes without one, and goes with the next use.
-- `kind`: 1 a blob that no manifest names, 2 a manifest without a tag, 3 a file that nobody holds
-- (its repository is 0). `since` is the largest number while a folder is still being adopted.
CREATE TABLE reviews (
    repository_id INTEGER NOT NULL,
    blob_id INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (repository_id, blob_id, kind)
) STRICT, WITHOUT ROWID;
CREATE INDEX reviews_by_date ON reviews (kind, since, repository_id, blob_id);

-- What clients relied on when the last run ended, as `key` of the registry's own making.
CREATE TABLE promises (
    key INTEGER PRIMARY KEY,
    left_for INTEGER NOT NULL
) STRICT;

-- While a repository has a manifest that cannot be read, nothing that it holds is collected.
CREATE INDEX findings_by_repository ON findings (repository, kind);
