-- Grain: one row a signal: how many messages inside the window may carry items (3: returns of orders), how many rows of
--   the store's sales there are (4), and how many raw messages were received (6). Each is what faults.sql has a part of.
-- Parameters: @window_start, @as_of (INT64, ms: of raw messages, first and last time of receipt that counts).
-- Source: varde.messages, varde.clocks (messages without a time of receipt, which messages lacks), varde.sales, varde.raw.
WITH
  every AS (
    SELECT signal
    FROM varde.messages
    UNION ALL
    SELECT signal
    FROM varde.clocks
    WHERE reason = 'no_received_at' AND signal <= 3
  )
SELECT signal, COUNT(*) AS messages
FROM every
GROUP BY signal
UNION ALL
SELECT 4 AS signal, COUNT(*) AS messages
FROM varde.sales
HAVING COUNT(*) > 0
UNION ALL
SELECT 6 AS signal, COUNT(*) AS messages
FROM varde.raw
WHERE received_at IS NULL OR received_at BETWEEN @window_start AND @as_of
HAVING COUNT(*) > 0
