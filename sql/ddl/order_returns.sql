-- Grain: one row a customer, order and item that was refunded or cancelled; the item is '' for the whole order.
-- Source: sql/order_returns.sql; replaced every night.
CREATE TABLE IF NOT EXISTS varde.order_returns (
  customer STRING OPTIONS (description = '`u:` and a userId, or `a:` and an anonymousId.'),
  order_id STRING OPTIONS (description = 'The order.'),
  item STRING OPTIONS (description = 'The item; empty for the whole order.'),
  time INT64 OPTIONS (description = 'When, ms since the epoch.')
)
OPTIONS (description = 'What was refunded or cancelled.')
