-- Grain: one row an experiment, variation and UTC day on which anything happened: the figures of that day alone.
-- Source: varde.experiment_unit_days, varde.experiment_settings.
CREATE OR REPLACE VIEW varde.experiment_by_day (
  experiment OPTIONS (description = 'Key of the experiment.'),
  variation OPTIONS (description = 'Key of the variation; `team_draft` for all units of a team draft.'),
  variation_index OPTIONS (description = 'Place of the variation in the configuration; 0 is the baseline, -1 a team draft.'),
  date OPTIONS (description = 'The day, YYYY-MM-DD.'),
  units OPTIONS (description = 'Units that saw or did anything that counts on the day.'),
  impressions OPTIONS (description = 'Items shown.'),
  lists OPTIONS (description = 'Lists shown.'),
  fallback_lists OPTIONS (description = 'Lists of another rung than `pairs`.'),
  clicks OPTIONS (description = 'Items clicked, each once a list.'),
  adds OPTIONS (description = 'Additions to the cart.'),
  orders OPTIONS (description = 'Orders that were not taken back whole.'),
  revenue OPTIONS (description = 'Revenue of the orders of the day after refunds, nothing capped.'),
  items OPTIONS (description = 'Pieces bought and not returned.')
)
OPTIONS (description = 'Figures of experiments by variation, day by day. For reports.')
AS
SELECT
  d.experiment,
  COALESCE(s.variation, 'team_draft') AS variation,
  d.variation_index,
  SUBSTR(CAST(DATE_FROM_UNIX_DATE(d.day) AS STRING), 1, 10) AS date,
  COUNT(*) AS units,
  CAST(FLOOR(SUM(d.impressions)) AS INT64) AS impressions,
  CAST(FLOOR(SUM(d.lists)) AS INT64) AS lists,
  CAST(FLOOR(SUM(d.fallback_lists)) AS INT64) AS fallback_lists,
  CAST(FLOOR(SUM(d.clicks)) AS INT64) AS clicks,
  CAST(FLOOR(SUM(d.adds)) AS INT64) AS adds,
  CAST(FLOOR(SUM(d.orders)) AS INT64) AS orders,
  SUM(d.revenue) AS revenue,
  SUM(d.items) AS items
FROM varde.experiment_unit_days AS d
LEFT JOIN varde.experiment_settings AS s
  ON d.experiment = s.experiment AND d.variation_index = s.variation_index
GROUP BY d.experiment, s.variation, d.variation_index, d.day
