-- Sonata's own state; images and layers are in the containers/storage records.
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE name (name TEXT PRIMARY KEY, kind TEXT NOT NULL, id TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE container (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    created INTEGER NOT NULL,
    image_id TEXT NOT NULL,
    pod TEXT NOT NULL DEFAULT '',
    config TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE container_state (
    id TEXT PRIMARY KEY REFERENCES container (id) ON DELETE CASCADE,
    phase TEXT NOT NULL,
    boot TEXT NOT NULL,
    state TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE needs (
    container TEXT NOT NULL REFERENCES container (id) ON DELETE CASCADE,
    needed TEXT NOT NULL REFERENCES container (id),
    PRIMARY KEY (container, needed),
    CHECK (container <> needed)
) STRICT, WITHOUT ROWID;
CREATE TABLE network (name TEXT PRIMARY KEY, id TEXT NOT NULL UNIQUE, definition TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE volume (name TEXT PRIMARY KEY, created INTEGER NOT NULL, definition TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE uses_network (
    container TEXT NOT NULL REFERENCES container (id) ON DELETE CASCADE,
    network TEXT NOT NULL,
    PRIMARY KEY (container, network)
) STRICT, WITHOUT ROWID;
CREATE INDEX uses_network_by_network ON uses_network (network);
CREATE TABLE uses_volume (
    container TEXT NOT NULL REFERENCES container (id) ON DELETE CASCADE,
    volume TEXT NOT NULL REFERENCES volume (name),
    PRIMARY KEY (container, volume)
) STRICT, WITHOUT ROWID;
CREATE INDEX uses_volume_by_volume ON uses_volume (volume);
CREATE TABLE lease (
    network TEXT NOT NULL,
    address TEXT NOT NULL,
    container TEXT NOT NULL,
    boot TEXT NOT NULL,
    PRIMARY KEY (network, address)
) STRICT, WITHOUT ROWID;
CREATE INDEX lease_by_container ON lease (container);
CREATE TABLE last_lease (network TEXT NOT NULL, subnet TEXT NOT NULL, address TEXT NOT NULL, PRIMARY KEY (network, subnet)) STRICT, WITHOUT ROWID;
CREATE TABLE port (
    protocol TEXT NOT NULL,
    address TEXT NOT NULL,
    port INTEGER NOT NULL,
    container TEXT NOT NULL,
    boot TEXT NOT NULL,
    PRIMARY KEY (protocol, address, port)
) STRICT, WITHOUT ROWID;
CREATE INDEX port_by_container ON port (container);
CREATE TABLE exit (id TEXT PRIMARY KEY, code INTEGER NOT NULL, time INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE intent (
    id TEXT NOT NULL,
    kind TEXT NOT NULL,
    detail TEXT NOT NULL,
    boot TEXT NOT NULL,
    PRIMARY KEY (id, kind)
) STRICT, WITHOUT ROWID;
CREATE TABLE exec (
    id TEXT PRIMARY KEY,
    container TEXT NOT NULL REFERENCES container (id) ON DELETE CASCADE,
    state TEXT NOT NULL
) STRICT, WITHOUT ROWID;
