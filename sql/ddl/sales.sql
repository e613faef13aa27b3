-- Grain: one row a row of store.sales inside the window, and one a row that cannot be counted, with the reason
--   (`fault`).
-- Source: sql/sales.sql; replaced every night.
CREATE TABLE IF NOT EXISTS varde.sales (
  user_id STRING OPTIONS (description = 'The customer.'),
  item STRING OPTIONS (description = 'What was bought.'),
  time INT64 OPTIONS (description = 'When, ms since the epoch.'),
  order_id STRING OPTIONS (description = 'The receipt or order; empty when none is named.'),
  fault STRING OPTIONS (description = 'Why the row does not count; NULL when it does.')
)
OPTIONS (description = 'Sales of the shop\'s stores inside the window, and rows of store.sales that cannot be counted.')
