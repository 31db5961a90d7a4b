-- +goose Up
-- Both are JSON: they are read and written whole, and never searched.
ALTER TABLE tasks ADD COLUMN limits TEXT NOT NULL DEFAULT '{}';
ALTER TABLE sub_tasks ADD COLUMN why TEXT NOT NULL DEFAULT '{}';

-- +goose Down
ALTER TABLE sub_tasks DROP COLUMN why;
ALTER TABLE tasks DROP COLUMN limits;
