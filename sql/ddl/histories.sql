-- Grain: one row a customer, signal and item: the time of the last interaction (varde.history.History).
-- Source: sql/histories.sql; replaced every night.
CREATE TABLE IF NOT EXISTS varde.histories (
  customer STRING OPTIONS (description = '`u:` and a userId, or `a:` and an anonymousId.'),
  signal INT64 OPTIONS (description = '0 view, 1 cart, 2 purchase.'),
  item STRING OPTIONS (description = 'The item.'),
  time INT64 OPTIONS (description = 'The last interaction, ms since the epoch.')
)
OPTIONS (description = 'What counts: the latest items of each customer, as many as the cap.')
