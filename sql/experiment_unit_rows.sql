-- Grain: one row a unit of one experiment, without its id.
-- Parameters: @experiment (STRING).
-- Source: varde.experiment_units.
SELECT
  number, variation_index, first_day, several, pre_views, pre_clicks, pre_adds, pre_orders, pre_revenue
FROM varde.experiment_units
WHERE experiment = @experiment
