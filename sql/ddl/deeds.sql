-- Grain: one row a customer, signal, item and order: when the customer did it last. Signal 3 is a return.
-- Source: sql/deeds.sql; replaced every night.
CREATE TABLE IF NOT EXISTS varde.deeds (
  customer STRING OPTIONS (description = '`u:` and a userId, or `a:` and an anonymousId.'),
  signal INT64 OPTIONS (description = '0 view, 1 cart, 2 purchase, 3 a return.'),
  item STRING OPTIONS (description = 'The item; empty where a whole order is returned.'),
  order_id STRING OPTIONS (description = 'The order; empty when none is named.'),
  time INT64 OPTIONS (description = 'The latest time, ms since the epoch.')
)
OPTIONS (description = 'What customers did last with an item, by order.')
