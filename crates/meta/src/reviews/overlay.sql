-- What a plan would change, over tables of the file that it must not change: the same names lead
-- here first. The tables below are written alone, or hold what waits; the views leave out what
-- the plan has let go of.
CREATE TEMP TABLE reviews (
    blob_id INTEGER NOT NULL,
    repository_id INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    since INTEGER NOT NULL,
    PRIMARY KEY (blob_id, repository_id, kind)
) STRICT, WITHOUT ROWID;
CREATE INDEX temp.reviews_by_date ON reviews (kind, since, repository_id, blob_id);
INSERT INTO temp.reviews (blob_id, repository_id, kind, since)
SELECT blob_id, repository_id, kind, since FROM main.reviews;

CREATE TEMP TABLE releases (blob_id INTEGER PRIMARY KEY, sequence INTEGER NOT NULL) STRICT;
CREATE TEMP TABLE projections (
    kind INTEGER NOT NULL,
    blob_id INTEGER NOT NULL,
    repository_id INTEGER NOT NULL,
    tag TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    queued_at INTEGER NOT NULL,
    PRIMARY KEY (kind, blob_id, repository_id, tag)
) STRICT, WITHOUT ROWID;
CREATE TEMP TABLE touched (
    repository_id INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    blob_id INTEGER NOT NULL,
    tag TEXT NOT NULL,
    PRIMARY KEY (repository_id, kind, blob_id, tag)
) STRICT, WITHOUT ROWID;
CREATE TEMP TABLE manifest_payloads (manifest_id INTEGER PRIMARY KEY) STRICT;

CREATE TEMP TABLE gone_manifests (id INTEGER PRIMARY KEY) STRICT;
CREATE TEMP VIEW manifests AS SELECT * FROM main.manifests AS below
WHERE NOT EXISTS (SELECT 1 FROM gone_manifests g WHERE g.id = below.id);
CREATE TEMP TRIGGER manifest_goes INSTEAD OF DELETE ON manifests BEGIN
    INSERT INTO gone_manifests (id) VALUES (OLD.id) ON CONFLICT DO NOTHING;
END;

-- All edges of a manifest go together.
CREATE TEMP TABLE gone_edges (manifest_id INTEGER PRIMARY KEY) STRICT;
CREATE TEMP VIEW edges AS SELECT * FROM main.edges AS below
WHERE NOT EXISTS (SELECT 1 FROM gone_edges g WHERE g.manifest_id = below.manifest_id);
CREATE TEMP TRIGGER edge_goes INSTEAD OF DELETE ON edges BEGIN
    INSERT INTO gone_edges (manifest_id) VALUES (OLD.manifest_id) ON CONFLICT DO NOTHING;
END;

CREATE TEMP TABLE gone_links (
    repository_id INTEGER NOT NULL,
    blob_id INTEGER NOT NULL,
    PRIMARY KEY (repository_id, blob_id)
) STRICT, WITHOUT ROWID;
CREATE TEMP VIEW repository_blobs AS SELECT * FROM main.repository_blobs AS below
WHERE NOT EXISTS (
    SELECT 1 FROM gone_links g
    WHERE g.repository_id = below.repository_id AND g.blob_id = below.blob_id
);
CREATE TEMP TRIGGER link_goes INSTEAD OF DELETE ON repository_blobs BEGIN
    INSERT INTO gone_links (repository_id, blob_id) VALUES (OLD.repository_id, OLD.blob_id)
    ON CONFLICT DO NOTHING;
END;

CREATE TEMP TABLE gone_findings (id INTEGER PRIMARY KEY) STRICT;
CREATE TEMP VIEW findings AS SELECT * FROM main.findings AS below
WHERE NOT EXISTS (SELECT 1 FROM gone_findings g WHERE g.id = below.id);
CREATE TEMP TRIGGER finding_goes INSTEAD OF DELETE ON findings BEGIN
    INSERT INTO gone_findings (id) VALUES (OLD.id) ON CONFLICT DO NOTHING;
END;

-- What the catalog shows matters to no collection.
CREATE TEMP VIEW repositories AS SELECT * FROM main.repositories AS below;
CREATE TEMP TRIGGER repository_changes INSTEAD OF UPDATE ON repositories BEGIN
    SELECT 1;
END;
