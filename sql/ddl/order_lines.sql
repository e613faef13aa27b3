-- Grain: one row a customer, item and order: when it was bought, and whether it was taken back (varde.orders).
-- Source: sql/order_lines.sql; replaced every night.
CREATE TABLE IF NOT EXISTS varde.order_lines (
  customer STRING OPTIONS (description = '`u:` and a userId, or `a:` and an anonymousId.'),
  item STRING OPTIONS (description = 'The item.'),
  order_id STRING OPTIONS (description = 'The order; empty when none is named.'),
  time INT64 OPTIONS (description = 'When, ms since the epoch.'),
  returned BOOL OPTIONS (description = 'Whether it was taken back.')
)
OPTIONS (description = 'What was bought, by order.')
