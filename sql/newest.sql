-- Grain: one row a source: `tracks`, or `raw_messages` where messages are read from there; and the table of each event
--   that it has rows of or that `tracks` names.
-- Parameters: @links_since (INT64, ms: bound on received_at; 0 reads everything), @until (INT64, ms: what was received
--   later is not looked at, because no clock may say so).
-- Source: segment.tracks, segment.product_viewed, segment.product_added, segment.order_completed, segment.order_refunded,
--   segment.segment_consent_preference_updated; or segment.raw_messages.
-- `newest` is the newest time of receipt in a source. Segment writes each event into `tracks` and into a table of its own,
-- one table after the other, so `tracks` tells what an event's table lacks: `missing` is the first time of receipt there
-- that is newer than all of the event's own table. It is NULL when there is none. An event that is no longer sent has no
-- newer rows in `tracks` either. Of raw messages the time is when they were published.
WITH
  tracked AS (
    SELECT SAFE_CAST(t.event AS STRING) AS source, UNIX_MILLIS(t.received_at) AS received_at
    FROM segment.tracks AS t
    WHERE t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
      AND t.received_at >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
      AND UNIX_MILLIS(t.received_at) <= @until
  ),
  published AS (
    SELECT UNIX_MILLIS(t.publish_time) AS received_at
    FROM segment.raw_messages AS t
    WHERE (t._PARTITIONTIME IS NULL OR t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY))
      AND t.publish_time >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
      AND UNIX_MILLIS(t.publish_time) <= @until
  ),
  own AS (
    SELECT SAFE_CAST(t.event AS STRING) AS source, UNIX_MILLIS(t.received_at) AS received_at
    FROM segment.product_viewed AS t
    WHERE t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
      AND t.received_at >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
      AND UNIX_MILLIS(t.received_at) <= @until
    UNION ALL
    SELECT SAFE_CAST(t.event AS STRING) AS source, UNIX_MILLIS(t.received_at) AS received_at
    FROM segment.product_added AS t
    WHERE t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
      AND t.received_at >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
      AND UNIX_MILLIS(t.received_at) <= @until
    UNION ALL
    SELECT SAFE_CAST(t.event AS STRING) AS source, UNIX_MILLIS(t.received_at) AS received_at
    FROM segment.order_completed AS t
    WHERE t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
      AND t.received_at >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
      AND UNIX_MILLIS(t.received_at) <= @until
    UNION ALL
    SELECT SAFE_CAST(t.event AS STRING) AS source, UNIX_MILLIS(t.received_at) AS received_at
    FROM segment.order_refunded AS t
    WHERE t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
      AND t.received_at >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
      AND UNIX_MILLIS(t.received_at) <= @until
    UNION ALL
    SELECT SAFE_CAST(t.event AS STRING) AS source, UNIX_MILLIS(t.received_at) AS received_at
    FROM segment.segment_consent_preference_updated AS t
    WHERE t._PARTITIONTIME >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
      AND t.received_at >= TIMESTAMP_SUB(TIMESTAMP_MILLIS(@links_since), INTERVAL 1 DAY)
      AND UNIX_MILLIS(t.received_at) <= @until
  ),
  held AS (
    SELECT source, MAX(received_at) AS newest
    FROM own
    WHERE source IS NOT NULL
    GROUP BY source
  ),
  lacking AS (
    SELECT t.source, MIN(t.received_at) AS missing
    FROM tracked AS t
    LEFT JOIN held AS h
      ON t.source = h.source
    WHERE t.source IS NOT NULL AND (h.newest IS NULL OR t.received_at > h.newest)
    GROUP BY t.source
  )
SELECT COALESCE(h.source, l.source) AS source, h.newest, l.missing
FROM held AS h
FULL JOIN lacking AS l
  ON h.source = l.source
UNION ALL
SELECT 'tracks' AS source, MAX(received_at) AS newest, NULL AS missing
FROM tracked
HAVING COUNT(*) > 0
UNION ALL
SELECT 'raw_messages' AS source, MAX(received_at) AS newest, NULL AS missing
FROM published
HAVING COUNT(*) > 0
