-- Grain: one row: up to when the warehouse holds messages.
-- Parameters: @links_since (INT64, ms: bound on received_at; 0 reads everything).
-- Source: segment.tracks.
-- The newest time of receipt, NULL when there are no messages.
SELECT MAX(UNIX_MILLIS(t.received_at)) AS received_at
FROM segment.tracks AS t
WHERE t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
  AND t.received_at >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
