-- Pods; their containers name them.
CREATE TABLE pod (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created INTEGER NOT NULL,
    config TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX container_by_pod ON container (pod) WHERE pod <> '';
