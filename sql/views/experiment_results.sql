-- Grain: one row an experiment and variation: its newest figures, and how they differ from the baseline's.
-- Source: varde.experiment_days, varde.experiment_settings.
-- A lift without its interval decides nothing: varde report has the verdict.
CREATE OR REPLACE VIEW varde.experiment_results (
  experiment OPTIONS (description = 'Key of the experiment.'),
  variation OPTIONS (description = 'Key of the variation; `team_draft` for all units of a team draft.'),
  variation_index OPTIONS (description = 'Place of the variation in the configuration; 0 is the baseline, -1 a team draft.'),
  date OPTIONS (description = 'The last day that is in the figures, YYYY-MM-DD.'),
  weight OPTIONS (description = 'The share of the units that it should get.'),
  metric OPTIONS (description = 'What decides the experiment.'),
  stopped OPTIONS (description = 'The variation that everybody gets, once decided; NULL while it runs.'),
  units OPTIONS (description = 'Units that count.'),
  units_several OPTIONS (description = 'Units seen in several variations, which count in nothing else.'),
  clicks_per_unit OPTIONS (description = 'Clicks / units.'),
  click_through OPTIONS (description = 'Clicks / items shown.'),
  add_rate OPTIONS (description = 'Share of units that put an item into the cart.'),
  conversion OPTIONS (description = 'Share of units that ordered.'),
  orders_per_unit OPTIONS (description = 'Orders / units.'),
  revenue_per_unit OPTIONS (description = 'Revenue after refunds / units, that of the largest units capped.'),
  items_per_order OPTIONS (description = 'Pieces / orders.'),
  fallback_share OPTIONS (description = 'Share of lists of another rung than `pairs`.'),
  latency_p95_ms OPTIONS (description = '95th percentile of the milliseconds that the server took for a list.'),
  coverage OPTIONS (description = 'Share of the catalogue that was shown; NULL without a catalogue.'),
  clicks_per_unit_lift OPTIONS (description = 'clicks_per_unit against the baseline: 0.05 is 5 % more. No verdict: it has no interval.'),
  click_through_lift OPTIONS (description = 'click_through, likewise.'),
  add_rate_lift OPTIONS (description = 'add_rate, likewise.'),
  conversion_lift OPTIONS (description = 'conversion, likewise.'),
  orders_per_unit_lift OPTIONS (description = 'orders_per_unit, likewise.'),
  revenue_per_unit_lift OPTIONS (description = 'revenue_per_unit, likewise.')
)
OPTIONS (description = 'Newest figures of each variation, and their lift over the baseline. For reports.')
AS
WITH
  newest AS (
    SELECT experiment, MAX(day) AS day
    FROM varde.experiment_days
    GROUP BY experiment
  ),
  figures AS (
    SELECT
      d.experiment, d.variation, d.variation_index, d.date, d.units, d.units_several, d.ctr_per_unit, d.ctr_per_impression,
      d.add_rate, d.conversion, d.orders_per_unit, d.revenue_per_unit, d.items_per_order, d.fallback_share,
      d.latency_p95_ms, d.coverage
    FROM varde.experiment_days AS d
    JOIN newest AS n
      ON d.experiment = n.experiment AND d.day = n.day
  )
SELECT
  f.experiment,
  f.variation,
  f.variation_index,
  f.date,
  s.weight,
  s.metric,
  s.stopped,
  f.units,
  f.units_several,
  f.ctr_per_unit AS clicks_per_unit,
  f.ctr_per_impression AS click_through,
  f.add_rate,
  f.conversion,
  f.orders_per_unit,
  f.revenue_per_unit,
  f.items_per_order,
  f.fallback_share,
  f.latency_p95_ms,
  f.coverage,
  SAFE_DIVIDE(f.ctr_per_unit - b.ctr_per_unit, b.ctr_per_unit) AS clicks_per_unit_lift,
  SAFE_DIVIDE(f.ctr_per_impression - b.ctr_per_impression, b.ctr_per_impression) AS click_through_lift,
  SAFE_DIVIDE(f.add_rate - b.add_rate, b.add_rate) AS add_rate_lift,
  SAFE_DIVIDE(f.conversion - b.conversion, b.conversion) AS conversion_lift,
  SAFE_DIVIDE(f.orders_per_unit - b.orders_per_unit, b.orders_per_unit) AS orders_per_unit_lift,
  SAFE_DIVIDE(f.revenue_per_unit - b.revenue_per_unit, b.revenue_per_unit) AS revenue_per_unit_lift
FROM figures AS f
LEFT JOIN figures AS b
  ON f.experiment = b.experiment AND b.variation_index = 0 AND f.variation_index > 0
LEFT JOIN varde.experiment_settings AS s
  ON f.experiment = s.experiment AND f.variation_index = s.variation_index
