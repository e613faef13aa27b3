-- Grain: one row: up to when the warehouse holds messages.
-- Parameters: @links_since (INT64, ms: bound on received_at; 0 reads everything).
-- Source: segment.tracks, or segment.raw_messages where messages are read from there.
-- The newest time of receipt, NULL when there are no messages. Of raw messages it is when they were published.
WITH
  received AS (
    SELECT UNIX_MILLIS(t.received_at) AS received_at
    FROM segment.tracks AS t
    WHERE t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
      AND t.received_at >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
    UNION ALL
    SELECT UNIX_MILLIS(t.publish_time) AS received_at
    FROM segment.raw_messages AS t
    WHERE (t._PARTITIONTIME IS NULL OR t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY))
      AND t.publish_time >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
  )
SELECT MAX(received_at) AS received_at
FROM received
