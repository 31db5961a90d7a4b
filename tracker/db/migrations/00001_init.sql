-- +goose Up
CREATE TABLE nodes (
    id         TEXT PRIMARY KEY,
    name       TEXT NOT NULL,
    up         BIGINT NOT NULL,
    down       BIGINT NOT NULL,
    carrier    TEXT NOT NULL,
    region     TEXT NOT NULL,
    site       TEXT NOT NULL,
    first_seen BIGINT NOT NULL,
    last_seen  BIGINT NOT NULL
);

-- The torrent stands last: listing contents then doesn't read it.
CREATE TABLE contents (
    id           TEXT PRIMARY KEY,
    name         TEXT NOT NULL,
    size         BIGINT NOT NULL,
    files        BIGINT NOT NULL,
    pieces       BIGINT NOT NULL,
    piece_length BIGINT NOT NULL,
    created      BIGINT NOT NULL,
    torrent      BLOB NOT NULL
);

CREATE TABLE tasks (
    id      TEXT PRIMARY KEY,
    content TEXT NOT NULL REFERENCES contents (id),
    dest    TEXT NOT NULL,
    state   TEXT NOT NULL,
    created BIGINT NOT NULL,
    ended   BIGINT,
    version BIGINT NOT NULL,
    bound   DOUBLE PRECISION
);
CREATE INDEX tasks_created ON tasks (created);
CREATE INDEX tasks_state ON tasks (state);

CREATE TABLE sub_tasks (
    task          TEXT NOT NULL REFERENCES tasks (id),
    node          TEXT NOT NULL,
    name          TEXT NOT NULL,
    state         TEXT NOT NULL,
    error         TEXT NOT NULL,
    unreachable   BIGINT NOT NULL,
    cancel        BIGINT NOT NULL,
    pieces        BIGINT NOT NULL,
    seconds       DOUBLE PRECISION NOT NULL,
    origin        BIGINT NOT NULL,
    peers         BIGINT NOT NULL,
    cross_carrier BIGINT NOT NULL,
    upstream      BIGINT NOT NULL,
    wasted        BIGINT NOT NULL,
    faults        TEXT NOT NULL,
    PRIMARY KEY (task, node)
);

-- +goose Down
DROP TABLE sub_tasks;
DROP TABLE tasks;
DROP TABLE contents;
DROP TABLE nodes;
