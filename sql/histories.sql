-- Grain: one row a customer, signal and item: the time of the last interaction (varde.history.History).
-- Parameters: @cap (INT64: items kept a customer and signal; the latest, of equal times the smaller item id).
-- Source: varde.deeds, varde.forgotten, varde.order_lines.
-- A purchase is an order line that was not taken back.
WITH
  kept AS (
    SELECT d.customer, d.signal, d.item, d.time
    FROM varde.deeds AS d
    LEFT JOIN varde.forgotten AS f
      ON d.customer = f.customer
    WHERE d.signal < 2
      AND (f.time IS NULL OR d.time > f.time)
    UNION ALL
    SELECT customer, 2 AS signal, item, time
    FROM varde.order_lines
    WHERE NOT returned
  ),
  latest AS (
    SELECT customer, signal, item, MAX(time) AS time
    FROM kept
    GROUP BY customer, signal, item
  )
SELECT customer, signal, item, time
FROM latest
WHERE TRUE
QUALIFY ROW_NUMBER() OVER (PARTITION BY customer, signal ORDER BY time DESC, item) <= @cap
