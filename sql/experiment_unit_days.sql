-- Grain: one row an experiment, unit and UTC day on which the unit saw or did anything that counts.
-- Parameters: none.
-- Source: varde.experiment_units, varde.experiment_lists, varde.experiment_clicks, varde.experiment_events,
--   varde.experiment_orders, varde.experiment_rates.
-- What counts lies between the first list of the unit and the end of its time, both included. An addition to the cart and an
-- order count in each experiment for one unit of the customer: the one with the id that the event has, else the one that
-- came into the experiment last. Units seen in several variations have no row, nor do others get what was theirs.
-- Revenue is in the currency of the experiment (experiment_rates); an order that says none is taken to be in it.
WITH
  deeds AS (
    SELECT 'cart' AS kind, message_id, customer, user_id, anonymous_id, time, 1 AS adds, 0 AS orders,
      CAST(NULL AS STRING) AS currency, 0e0 AS revenue, 0e0 AS items
    FROM varde.experiment_events
    WHERE kind = 'cart'
    UNION ALL
    SELECT
      'order' AS kind, message_id, customer, user_id, anonymous_id, time, 0 AS adds, IF(counts, 1, 0) AS orders,
      currency, revenue, items
    FROM varde.experiment_orders
  ),
  attributed AS (
    SELECT
      u.experiment, u.unit_kind, u.unit, u.number, u.variation_index, u.several,
      DIV(d.time, 86400000) AS day,
      d.adds, d.orders, d.items,
      IF(d.currency IS NOT NULL AND r.rate IS NULL, d.orders, 0) AS orders_left_out,
      d.revenue * IF(d.currency IS NULL, 1e0, COALESCE(r.rate, 0e0)) AS revenue
    FROM deeds AS d
    JOIN varde.experiment_units AS u
      ON d.customer = u.customer
    LEFT JOIN varde.experiment_rates AS r
      ON u.experiment = r.experiment AND d.currency = r.currency
    WHERE d.time BETWEEN u.first_exposure AND u.counts_until
    QUALIFY ROW_NUMBER() OVER (
      PARTITION BY u.experiment, d.kind, d.message_id
      ORDER BY
        IF(COALESCE(u.unit = IF(u.unit_kind = 'uid', d.user_id, d.anonymous_id), FALSE), 0, 1),
        u.first_exposure DESC, u.unit_kind, u.unit
    ) = 1
  ),
  together AS (
    SELECT
      l.experiment, l.unit_kind, l.unit, u.number, u.variation_index, l.day,
      l.impressions, 1 AS lists, IF(COALESCE(l.rung, '') = 'pairs', 0, 1) AS fallback_lists, 0 AS clicks,
      0 AS adds, 0 AS orders, 0 AS orders_left_out, 0e0 AS revenue, 0e0 AS items
    FROM varde.experiment_lists AS l
    JOIN varde.experiment_units AS u
      ON l.experiment = u.experiment AND l.unit_kind = u.unit_kind AND l.unit = u.unit
    WHERE NOT u.several AND l.time <= u.counts_until
    UNION ALL
    SELECT
      c.experiment, c.unit_kind, c.unit, c.number, u.variation_index, c.day,
      0 AS impressions, 0 AS lists, 0 AS fallback_lists, 1 AS clicks, 0 AS adds, 0 AS orders,
      0 AS orders_left_out, 0e0 AS revenue, 0e0 AS items
    FROM varde.experiment_clicks AS c
    JOIN varde.experiment_units AS u
      ON c.experiment = u.experiment AND c.unit_kind = u.unit_kind AND c.unit = u.unit
    UNION ALL
    SELECT
      experiment, unit_kind, unit, number, variation_index, day,
      0 AS impressions, 0 AS lists, 0 AS fallback_lists, 0 AS clicks, adds, orders,
      orders_left_out, revenue, items
    FROM attributed
    WHERE NOT several
  )
SELECT
  experiment,
  unit_kind,
  unit,
  number,
  variation_index,
  day,
  CAST(FLOOR(SUM(impressions)) AS INT64) AS impressions,
  CAST(FLOOR(SUM(lists)) AS INT64) AS lists,
  CAST(FLOOR(SUM(fallback_lists)) AS INT64) AS fallback_lists,
  CAST(FLOOR(SUM(clicks)) AS INT64) AS clicks,
  CAST(FLOOR(SUM(adds)) AS INT64) AS adds,
  CAST(FLOOR(SUM(orders)) AS INT64) AS orders,
  CAST(FLOOR(SUM(orders_left_out)) AS INT64) AS orders_left_out,
  SUM(revenue) AS revenue,
  SUM(items) AS items
FROM together
GROUP BY experiment, unit_kind, unit, number, variation_index, day
