-- Who is told what happened, how much waits for each, and how much may.
-- `dropped`: events that went unsent because there were too many, and that nobody has counted yet.
CREATE TABLE event_receivers (
    name TEXT PRIMARY KEY,
    most_events INTEGER NOT NULL,
    most_bytes INTEGER NOT NULL,
    events INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    dropped INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What was not told yet, a row for each receiver, in the order in which it happened.
CREATE TABLE events (
    sequence INTEGER PRIMARY KEY,
    receiver TEXT NOT NULL,
    payload BLOB NOT NULL
) STRICT;
CREATE INDEX events_by_receiver ON events (receiver, sequence);
