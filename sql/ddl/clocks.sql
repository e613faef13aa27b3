-- Grain: one row a message and reason: messages of the window with a time that is missing or cannot be true.
-- Source: sql/clocks.sql; replaced every night.
CREATE TABLE IF NOT EXISTS varde.clocks (
  signal INT64 OPTIONS (description = '0 view, 1 cart, 2 purchase, 3 return, 7 a call that may link ids.'),
  message_id STRING OPTIONS (description = 'Segment\'s messageId; NULL when the message has none.'),
  reason STRING OPTIONS (description = '`no_received_at`, `future_time` or `no_loaded_at`.')
)
OPTIONS (description = 'Messages with a time that is missing or cannot be true.')
