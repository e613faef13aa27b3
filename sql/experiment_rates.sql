-- Grain: one row an experiment and currency of orders.
-- Parameters: none.
-- Source: varde.experiment_settings, varde.experiment_currencies, varde.experiment_orders.
-- The rate is what one of the currency is worth in that of the experiment: 1 for its own, the configured one for others, and
-- NULL where none is configured: that money is left out. An experiment that names no currency has that of most orders.
WITH
  configured AS (
    SELECT DISTINCT experiment, currency
    FROM varde.experiment_settings
  ),
  found AS (
    SELECT currency, COUNT(*) AS orders
    FROM varde.experiment_orders
    WHERE currency IS NOT NULL
    GROUP BY currency
  ),
  usual AS (
    SELECT currency, ROW_NUMBER() OVER (ORDER BY orders DESC, currency) = 1 AS most
    FROM found
  )
SELECT
  c.experiment,
  u.currency,
  COALESCE(u.currency = c.currency, u.most) AS own,
  IF(COALESCE(u.currency = c.currency, u.most), 1e0, r.rate) AS rate
FROM configured AS c
CROSS JOIN usual AS u
LEFT JOIN varde.experiment_currencies AS r
  ON c.experiment = r.experiment AND u.currency = r.currency
