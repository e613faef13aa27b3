-- Grain: one row a signal and item: its interactions, each weighing twice as much as one a half-life before it.
-- Parameters: @landmark (INT64, ms: when one interaction weighs 1), @half_life (INT64, ms).
-- Source: varde.interactions, which are inside the window. The weights are those of varde.delivery.popularity.
SELECT
  signal,
  item,
  SUM(POW(2.0, LEAST(GREATEST(SAFE_DIVIDE(time - @landmark, @half_life), -900.0), 900.0))) AS weight
FROM varde.interactions
WHERE signal BETWEEN 0 AND 2
GROUP BY signal, item
