-- +goose Up
-- Tasks from before are normal ones.
ALTER TABLE tasks ADD COLUMN priority BIGINT NOT NULL DEFAULT 0;

-- +goose Down
ALTER TABLE tasks DROP COLUMN priority;
