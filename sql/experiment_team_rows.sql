-- Grain: one row a unit of one team draft, without its id.
-- Parameters: @experiment (STRING).
-- Source: varde.experiment_teams.
SELECT number, first_clicks, second_clicks
FROM varde.experiment_teams
WHERE experiment = @experiment
