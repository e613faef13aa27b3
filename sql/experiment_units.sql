-- Grain: one row an experiment and unit.
-- Parameters: none.
-- Source: varde.experiment_lists, varde.experiment_settings, varde.experiment_events, varde.experiment_orders,
--   varde.experiment_rates.
-- The variation is that of the first list. A unit that was seen in several variations is marked (`several`), and counts in no
-- metric. The figures of the customer before the first list, 28 days of them, are for CUPED.
WITH
  first AS (
    SELECT experiment, unit_kind, unit, customer, variation_index, time AS first_exposure, day AS first_day
    FROM varde.experiment_lists
    WHERE TRUE
    QUALIFY ROW_NUMBER() OVER (PARTITION BY experiment, unit_kind, unit ORDER BY time, variation_index, list_id) = 1
  ),
  seen AS (
    SELECT experiment, unit_kind, unit, COUNT(DISTINCT variation_index) > 1 AS several
    FROM varde.experiment_lists
    GROUP BY experiment, unit_kind, unit
  ),
  windows AS (
    SELECT DISTINCT experiment, attribution_ms
    FROM varde.experiment_settings
  ),
  deeds AS (
    SELECT
      u.experiment,
      u.unit_kind,
      u.unit,
      COUNTIF(e.kind = 'view') AS pre_views,
      COUNTIF(e.kind = 'click') AS pre_clicks,
      COUNTIF(e.kind = 'cart') AS pre_adds
    FROM first AS u
    JOIN varde.experiment_events AS e
      ON u.customer = e.customer
    WHERE e.kind IN ('view', 'click', 'cart')
      AND e.time >= u.first_exposure - 2419200000
      AND e.time < u.first_exposure
    GROUP BY u.experiment, u.unit_kind, u.unit
  ),
  bought AS (
    SELECT
      u.experiment, u.unit_kind, u.unit, COUNTIF(o.counts) AS pre_orders,
      SUM(o.revenue * IF(o.currency IS NULL, 1e0, COALESCE(r.rate, 0e0))) AS pre_revenue
    FROM first AS u
    JOIN varde.experiment_orders AS o
      ON u.customer = o.customer
    LEFT JOIN varde.experiment_rates AS r
      ON u.experiment = r.experiment AND o.currency = r.currency
    WHERE o.time >= u.first_exposure - 2419200000
      AND o.time < u.first_exposure
    GROUP BY u.experiment, u.unit_kind, u.unit
  )
SELECT
  u.experiment,
  u.unit_kind,
  u.unit,
  ROW_NUMBER() OVER (PARTITION BY u.experiment ORDER BY u.unit_kind, u.unit) - 1 AS number,
  u.customer,
  u.variation_index,
  s.several,
  u.first_exposure,
  u.first_day,
  u.first_exposure + w.attribution_ms AS counts_until,
  COALESCE(d.pre_views, 0) AS pre_views,
  COALESCE(d.pre_clicks, 0) AS pre_clicks,
  COALESCE(d.pre_adds, 0) AS pre_adds,
  COALESCE(b.pre_orders, 0) AS pre_orders,
  COALESCE(b.pre_revenue, 0e0) AS pre_revenue
FROM first AS u
JOIN seen AS s
  ON u.experiment = s.experiment AND u.unit_kind = s.unit_kind AND u.unit = s.unit
JOIN windows AS w
  ON u.experiment = w.experiment
LEFT JOIN deeds AS d
  ON u.experiment = d.experiment AND u.unit_kind = d.unit_kind AND u.unit = d.unit
LEFT JOIN bought AS b
  ON u.experiment = b.experiment AND u.unit_kind = b.unit_kind AND u.unit = b.unit
