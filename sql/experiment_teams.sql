-- Grain: one row a unit of a team draft.
-- Parameters: none.
-- Source: varde.experiment_units, varde.experiment_clicks, varde.experiment_settings.
-- A click is credited to the variation that put the item into the list; one on an item of neither is no credit.
WITH
  drafts AS (
    SELECT
      experiment,
      MAX(IF(variation_index = 0, variation, NULL)) AS first_team,
      MAX(IF(variation_index = 1, variation, NULL)) AS second_team
    FROM varde.experiment_settings
    WHERE mode = 'team_draft'
    GROUP BY experiment
  )
SELECT
  u.experiment,
  u.unit_kind,
  u.unit,
  u.number,
  COUNTIF(c.team = d.first_team) AS first_clicks,
  COUNTIF(c.team = d.second_team) AS second_clicks
FROM varde.experiment_units AS u
JOIN drafts AS d
  ON u.experiment = d.experiment
LEFT JOIN varde.experiment_clicks AS c
  ON u.experiment = c.experiment AND u.unit_kind = c.unit_kind AND u.unit = c.unit
WHERE NOT u.several
GROUP BY u.experiment, u.unit_kind, u.unit, u.number
