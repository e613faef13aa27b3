-- Grain: one row a customer, signal and item: the time of the last interaction (varde.history.History).
-- Parameters: @window_start, @as_of (INT64, ms: first and last event time that count), @cap (INT64: items kept a
--   customer and signal; the latest, of equal times the smaller item id).
-- Source: varde.interactions, varde.identity, varde.erasures.
-- The customer is the userId, else the user that the anonymousId is linked to, else the anonymousId; `u:` and `a:` keep
-- the two kinds of id apart. An erasure holds for events that reached the user through a link as well.
WITH
  resolved AS (
    SELECT
      COALESCE(i.user_id, l.user_id) AS user_id,
      i.anonymous_id,
      i.signal,
      i.item,
      i.time
    FROM varde.interactions AS i
    LEFT JOIN varde.identity AS l
      ON i.user_id IS NULL AND i.anonymous_id = l.anonymous_id
    WHERE i.time BETWEEN @window_start AND @as_of
  ),
  kept AS (
    SELECT
      IF(r.user_id IS NULL, CONCAT('a:', r.anonymous_id), CONCAT('u:', r.user_id)) AS customer,
      r.signal,
      r.item,
      r.time
    FROM resolved AS r
    LEFT JOIN varde.erasures AS e
      ON r.user_id = e.user_id
    WHERE e.time IS NULL OR r.time > e.time
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
