-- +goose Up
-- Not a column of contents: it would stand behind the torrent.
CREATE TABLE web_seeds (
    content TEXT PRIMARY KEY REFERENCES contents (id),
    urls    TEXT NOT NULL
);

-- +goose Down
DROP TABLE web_seeds;
