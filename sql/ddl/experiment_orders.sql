-- Grain: one row an order.
-- Source: sql/experiment_orders.sql; replaced by every report.
CREATE TABLE IF NOT EXISTS varde.experiment_orders (
  message_id STRING OPTIONS (description = 'The message of the order.'),
  order_id STRING OPTIONS (description = 'The order; NULL when none is named.'),
  customer STRING OPTIONS (description = '`u:` and a userId, or `a:` and an anonymousId.'),
  user_id STRING OPTIONS (description = 'Segment\'s userId.'),
  anonymous_id STRING OPTIONS (description = 'Segment\'s anonymousId.'),
  time INT64 OPTIONS (description = 'When it was placed, ms since the epoch.'),
  day INT64 OPTIONS (description = 'UTC day, in days since the epoch.'),
  currency STRING OPTIONS (description = 'Currency of its money, a code of ISO 4217; NULL when it says none.'),
  gross FLOAT64 OPTIONS (description = 'What was to be paid for the goods.'),
  refunded FLOAT64 OPTIONS (description = 'What was paid back.'),
  revenue FLOAT64 OPTIONS (description = 'What is left, never below 0.'),
  items FLOAT64 OPTIONS (description = 'Pieces that were bought and not returned.'),
  counts BOOL OPTIONS (description = 'Whether it is an order: not when it was taken back whole.')
)
OPTIONS (description = 'Orders and what is left of them after refunds.')
