-- Grain: one row a user who asked to be forgotten: what happened up to `time` does not count.
-- Parameters: @as_of (INT64, ms: last event time that counts).
-- Source: varde.erasure_requests, our own table: Segment's sync does not store its delete messages.
SELECT user_id, MAX(time) AS time
FROM varde.erasure_requests
WHERE time <= @as_of
GROUP BY user_id
