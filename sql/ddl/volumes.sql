-- Grain: one row a signal: how many messages inside the window may carry items (3: returns of orders), how many
--   rows of the store's sales there are (4), and how many raw messages were received (6). Each is what faults.sql
--   has a part of.
-- Source: sql/volumes.sql; replaced every night.
CREATE TABLE IF NOT EXISTS varde.volumes (
  signal INT64 OPTIONS (description = '0 view, 1 cart, 2 purchase, 3 return, 4 store sale, 6 raw message.'),
  messages INT64 OPTIONS (description = 'How many, whether they count or not.')
)
OPTIONS (description = 'Messages and rows inside the window, by kind.')
