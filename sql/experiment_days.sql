-- Grain: one row an experiment, variation and UTC day: figures from the start up to and with the day.
-- Parameters: none.
-- Source: varde.experiment_settings, varde.experiment_units, varde.experiment_unit_days, varde.experiment_lists,
--   varde.catalogue.
-- Days go from the first list of the experiment to the last on which anything happened. Only units that count are in the
-- figures, and lists inside their time. Revenue per unit is winsorized at the nearest-rank quantile of the units of all
-- variations that have any revenue by that day. In a team draft there is one line for all units, variation_index -1.
WITH
  arms AS (
    SELECT experiment, variation, variation_index, winsorize
    FROM varde.experiment_settings
    WHERE mode != 'team_draft'
    UNION ALL
    SELECT DISTINCT experiment, 'team_draft' AS variation, -1 AS variation_index, winsorize
    FROM varde.experiment_settings
    WHERE mode = 'team_draft'
  ),
  began AS (
    SELECT experiment, MIN(first_day) AS first_day, MAX(first_day) AS last_day
    FROM varde.experiment_units
    GROUP BY experiment
  ),
  acted AS (
    SELECT experiment, MAX(day) AS last_day
    FROM varde.experiment_unit_days
    GROUP BY experiment
  ),
  spans AS (
    SELECT b.experiment, b.first_day, GREATEST(b.last_day, COALESCE(a.last_day, b.last_day)) AS last_day
    FROM began AS b
    LEFT JOIN acted AS a
      ON b.experiment = a.experiment
  ),
  calendar AS (
    SELECT s.experiment, day
    FROM spans AS s
    CROSS JOIN UNNEST(GENERATE_ARRAY(s.first_day, s.last_day)) AS day
  ),
  came AS (
    SELECT
      experiment, variation_index, first_day AS day, COUNTIF(NOT several) AS units, COUNTIF(several) AS units_several
    FROM varde.experiment_units
    GROUP BY experiment, variation_index, first_day
  ),
  firsts AS (
    SELECT
      experiment, variation_index, number,
      MIN(IF(clicks > 0, day, NULL)) AS clicked,
      MIN(IF(adds > 0, day, NULL)) AS added,
      MIN(IF(orders > 0, day, NULL)) AS bought
    FROM varde.experiment_unit_days
    GROUP BY experiment, variation_index, number
  ),
  arrivals AS (
    SELECT experiment, variation_index, clicked AS day, 1 AS clickers, 0 AS adders, 0 AS buyers
    FROM firsts
    WHERE clicked IS NOT NULL
    UNION ALL
    SELECT experiment, variation_index, added AS day, 0 AS clickers, 1 AS adders, 0 AS buyers
    FROM firsts
    WHERE added IS NOT NULL
    UNION ALL
    SELECT experiment, variation_index, bought AS day, 0 AS clickers, 0 AS adders, 1 AS buyers
    FROM firsts
    WHERE bought IS NOT NULL
  ),
  arrived AS (
    SELECT
      experiment, variation_index, day, SUM(clickers) AS clickers, SUM(adders) AS adders, SUM(buyers) AS buyers
    FROM arrivals
    GROUP BY experiment, variation_index, day
  ),
  did AS (
    SELECT
      experiment, variation_index, day,
      SUM(impressions) AS impressions, SUM(lists) AS lists, SUM(fallback_lists) AS fallback_lists, SUM(clicks) AS clicks,
      SUM(adds) AS adds, SUM(orders) AS orders, SUM(revenue) AS revenue, SUM(items) AS items
    FROM varde.experiment_unit_days
    GROUP BY experiment, variation_index, day
  ),
  -- Revenue of each unit that has any, by the end of each day.
  spent AS (
    SELECT c.experiment, c.day, d.variation_index, d.number, SUM(d.revenue) AS revenue
    FROM calendar AS c
    JOIN varde.experiment_unit_days AS d
      ON c.experiment = d.experiment AND d.day <= c.day
    WHERE d.revenue > 0
    GROUP BY c.experiment, c.day, d.variation_index, d.number
  ),
  ranked AS (
    SELECT
      experiment, day, revenue,
      ROW_NUMBER() OVER (PARTITION BY experiment, day ORDER BY revenue) AS place,
      COUNT(*) OVER (PARTITION BY experiment, day) AS spenders
    FROM spent
  ),
  caps AS (
    SELECT
      r.experiment, r.day,
      MIN(IF(a.winsorize < 1 AND r.place >= r.spenders * a.winsorize - 1e-9, r.revenue, NULL)) AS cap
    FROM ranked AS r
    JOIN (SELECT DISTINCT experiment, winsorize FROM arms) AS a
      ON r.experiment = a.experiment
    GROUP BY r.experiment, r.day
  ),
  capped AS (
    SELECT
      s.experiment, s.variation_index, s.day,
      SUM(LEAST(s.revenue, COALESCE(c.cap, s.revenue))) AS revenue
    FROM spent AS s
    LEFT JOIN caps AS c
      ON s.experiment = c.experiment AND s.day = c.day
    GROUP BY s.experiment, s.variation_index, s.day
  ),
  lists AS (
    SELECT l.experiment, u.variation_index, l.day, l.items, CAST(FLOOR(l.latency_ms * 10 + 0.5) AS INT64) AS tenths
    FROM varde.experiment_lists AS l
    JOIN varde.experiment_units AS u
      ON l.experiment = u.experiment AND l.unit_kind = u.unit_kind AND l.unit = u.unit
    WHERE NOT u.several AND l.time <= u.counts_until
  ),
  -- In tenths of a millisecond, so that many lists become few numbers.
  latencies AS (
    SELECT experiment, variation_index, day, tenths, COUNT(*) AS lists
    FROM lists
    WHERE tenths IS NOT NULL
    GROUP BY experiment, variation_index, day, tenths
  ),
  waited AS (
    SELECT c.experiment, c.day, w.variation_index, w.tenths, SUM(w.lists) AS lists
    FROM calendar AS c
    JOIN latencies AS w
      ON c.experiment = w.experiment AND w.day <= c.day
    GROUP BY c.experiment, c.day, w.variation_index, w.tenths
  ),
  up_to AS (
    SELECT
      experiment, day, variation_index, tenths,
      SUM(lists) OVER (PARTITION BY experiment, day, variation_index ORDER BY tenths) AS below,
      SUM(lists) OVER (PARTITION BY experiment, day, variation_index) AS all_lists
    FROM waited
  ),
  slow AS (
    SELECT experiment, day, variation_index, MIN(tenths) AS tenths
    FROM up_to
    WHERE below * 100 >= all_lists * 95
    GROUP BY experiment, day, variation_index
  ),
  shown AS (
    SELECT l.experiment, l.variation_index, l.day, JSON_VALUE(one, '$.item') AS item
    FROM lists AS l
    CROSS JOIN UNNEST(JSON_QUERY_ARRAY(l.items)) AS one
  ),
  shown_first AS (
    SELECT experiment, variation_index, item, MIN(day) AS day
    FROM shown
    GROUP BY experiment, variation_index, item
  ),
  new_items AS (
    SELECT experiment, variation_index, day, COUNT(*) AS items_shown
    FROM shown_first
    GROUP BY experiment, variation_index, day
  ),
  assortment AS (
    SELECT COUNT(*) AS items
    FROM varde.catalogue
    WHERE NOT hidden
  ),
  grown AS (
    SELECT
      a.experiment,
      a.variation,
      a.variation_index,
      c.day,
      CAST(FLOOR(SUM(COALESCE(u.units, 0)) OVER past) AS INT64) AS units,
      CAST(FLOOR(SUM(COALESCE(u.units_several, 0)) OVER past) AS INT64) AS units_several,
      CAST(FLOOR(SUM(COALESCE(r.clickers, 0)) OVER past) AS INT64) AS clickers,
      CAST(FLOOR(SUM(COALESCE(r.adders, 0)) OVER past) AS INT64) AS adders,
      CAST(FLOOR(SUM(COALESCE(r.buyers, 0)) OVER past) AS INT64) AS buyers,
      CAST(FLOOR(SUM(COALESCE(d.impressions, 0)) OVER past) AS INT64) AS impressions,
      CAST(FLOOR(SUM(COALESCE(d.lists, 0)) OVER past) AS INT64) AS lists,
      CAST(FLOOR(SUM(COALESCE(d.fallback_lists, 0)) OVER past) AS INT64) AS fallback_lists,
      CAST(FLOOR(SUM(COALESCE(d.clicks, 0)) OVER past) AS INT64) AS clicks,
      CAST(FLOOR(SUM(COALESCE(d.adds, 0)) OVER past) AS INT64) AS adds,
      CAST(FLOOR(SUM(COALESCE(d.orders, 0)) OVER past) AS INT64) AS orders,
      SUM(COALESCE(d.revenue, 0)) OVER past AS revenue,
      SUM(COALESCE(d.items, 0)) OVER past AS items,
      CAST(FLOOR(SUM(COALESCE(n.items_shown, 0)) OVER past) AS INT64) AS items_shown
    FROM arms AS a
    JOIN calendar AS c
      ON a.experiment = c.experiment
    LEFT JOIN came AS u
      ON a.experiment = u.experiment AND a.variation_index = u.variation_index AND c.day = u.day
    LEFT JOIN arrived AS r
      ON a.experiment = r.experiment AND a.variation_index = r.variation_index AND c.day = r.day
    LEFT JOIN did AS d
      ON a.experiment = d.experiment AND a.variation_index = d.variation_index AND c.day = d.day
    LEFT JOIN new_items AS n
      ON a.experiment = n.experiment AND a.variation_index = n.variation_index AND c.day = n.day
    WINDOW past AS (PARTITION BY a.experiment, a.variation_index ORDER BY c.day)
  )
SELECT
  g.experiment,
  g.variation,
  g.variation_index,
  g.day,
  SUBSTR(CAST(DATE_FROM_UNIX_DATE(g.day) AS STRING), 1, 10) AS date,
  g.units,
  g.units_several,
  g.impressions,
  g.lists,
  g.fallback_lists,
  g.clicks,
  g.adds,
  g.orders,
  g.revenue,
  g.items,
  g.clickers,
  g.adders,
  g.buyers,
  SAFE_DIVIDE(g.clicks, g.impressions) AS ctr_per_impression,
  SAFE_DIVIDE(g.clicks, g.units) AS ctr_per_unit,
  SAFE_DIVIDE(g.adders, g.units) AS add_rate,
  SAFE_DIVIDE(g.buyers, g.units) AS conversion,
  SAFE_DIVIDE(g.orders, g.units) AS orders_per_unit,
  SAFE_DIVIDE(COALESCE(p.revenue, 0), g.units) AS revenue_per_unit,
  SAFE_DIVIDE(g.items, g.orders) AS items_per_order,
  SAFE_DIVIDE(g.fallback_lists, g.lists) AS fallback_share,
  SAFE_DIVIDE(s.tenths, 10) AS latency_p95_ms,
  g.items_shown,
  SAFE_DIVIDE(g.items_shown, NULLIF(a.items, 0)) AS coverage
FROM grown AS g
CROSS JOIN assortment AS a
LEFT JOIN capped AS p
  ON g.experiment = p.experiment AND g.variation_index = p.variation_index AND g.day = p.day
LEFT JOIN slow AS s
  ON g.experiment = s.experiment AND g.variation_index = s.variation_index AND g.day = s.day
