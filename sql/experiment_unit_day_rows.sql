-- Grain: one row a unit and day of one experiment, without the unit's id.
-- Parameters: @experiment (STRING).
-- Source: varde.experiment_unit_days.
SELECT
  number, day, impressions, lists, fallback_lists, clicks, adds, orders, orders_left_out, revenue, items
FROM varde.experiment_unit_days
WHERE experiment = @experiment
