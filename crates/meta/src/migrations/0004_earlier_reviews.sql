-- Looks at what nothing used already when there were no reviews yet; later versions do it as it happens.
-- A repository that was not read whole is left to the reading, which looks at it then.
INSERT INTO reviews (repository_id, blob_id, kind, since)
SELECT h.repository_id, h.blob_id, 1, unixepoch() * 1000
FROM repository_blobs h JOIN repositories r ON r.id = h.repository_id
WHERE r.complete_run IS NOT NULL
AND NOT EXISTS (
    SELECT 1 FROM edges e
    WHERE e.blob_id = h.blob_id AND e.repository_id = h.repository_id AND e.kind <> 4
)
AND NOT EXISTS (
    SELECT 1 FROM manifests m
    WHERE m.repository_id = h.repository_id AND m.blob_id = h.blob_id
)
AND NOT EXISTS (
    SELECT 1 FROM repository_blobs a JOIN edges e
        ON e.blob_id = a.blob_id AND e.repository_id = a.repository_id AND e.kind <> 4
    WHERE a.target_id = h.blob_id AND a.repository_id = h.repository_id AND a.target_id <> a.blob_id
)
ON CONFLICT DO NOTHING;

INSERT INTO reviews (repository_id, blob_id, kind, since)
SELECT m.repository_id, m.blob_id, 2, unixepoch() * 1000
FROM manifests m JOIN repositories r ON r.id = m.repository_id
WHERE r.complete_run IS NOT NULL
AND NOT EXISTS (
    SELECT 1 FROM tags t WHERE t.repository_id = m.repository_id AND t.blob_id = m.blob_id
)
AND NOT EXISTS (
    SELECT 1 FROM edges e
    WHERE e.blob_id = m.blob_id AND e.repository_id = m.repository_id AND e.kind <> 4
)
AND NOT EXISTS (
    SELECT 1 FROM manifests s
    WHERE s.repository_id = m.repository_id AND s.blob_id = m.subject_id
)
ON CONFLICT DO NOTHING;

-- Earlier versions did not write down what clients relied on: everything, for one window.
INSERT INTO promises (key, left_for)
SELECT 0, 9223372036854775807 WHERE EXISTS (SELECT 1 FROM repositories)
ON CONFLICT DO NOTHING;
