-- Grain: one row a user who asked to be forgotten (Segment's `delete`): the latest time.
-- Parameters: @as_of (INT64, ms: last event time that counts).
-- Source: varde.raw.
-- They become tombstones outside, by their keyed hash. An absurd date, or one more than 31 days before the receipt, does
-- not take a person's wish away: the time of receipt stands for it (varde.timestamps.wish_time).
WITH
  asked AS (
    SELECT
      user_id,
      IF(
        timestamp < GREATEST(946684800000, received_at - 2678400000), received_at, LEAST(timestamp, received_at)
      ) AS time
    FROM varde.raw
    WHERE call = 'delete' AND fault IS NULL
  )
SELECT user_id, MAX(time) AS time
FROM asked
WHERE time <= @as_of
GROUP BY user_id
