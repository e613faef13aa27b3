-- Grain: one row a message and item: a customer did `signal` with `item` at `time`; signal 3 took `item` of an
--   order back, or the whole order, whose item is ''.
-- Source: sql/interactions.sql; replaced every night.
CREATE TABLE IF NOT EXISTS varde.interactions (
  signal INT64 OPTIONS (description = '0 view, 1 cart, 2 purchase, 3 a return.'),
  message_id STRING OPTIONS (description = 'Segment\'s messageId; NULL when the message has none.'),
  user_id STRING OPTIONS (description = 'Segment\'s userId.'),
  anonymous_id STRING OPTIONS (description = 'Segment\'s anonymousId.'),
  time INT64 OPTIONS (description = 'When it happened, ms since the epoch.'),
  order_id STRING OPTIONS (description = 'The order; NULL when none is named.'),
  item STRING OPTIONS (description = 'The item; empty where a whole order is returned.')
)
OPTIONS (description = 'Who did what with which item, by message.')
