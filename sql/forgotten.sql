-- Grain: one row a customer of whom nothing up to `time` counts.
-- Parameters: none.
-- Source: varde.erasures (users with a tombstone), varde.withdrawals, varde.identity.
-- An erasure and a withdrawal hold for what reached the user through a link as well. A withdrawal under an anonymousId is
-- that of the user who was linked to it afterwards, if there is one.
WITH
  said AS (
    SELECT CONCAT('u:', user_id) AS customer, time
    FROM varde.erasures
    UNION ALL
    SELECT CONCAT('u:', user_id) AS customer, time
    FROM varde.withdrawals
    WHERE user_id IS NOT NULL
    UNION ALL
    SELECT
      IF(l.user_id IS NULL, CONCAT('a:', w.anonymous_id), CONCAT('u:', l.user_id)) AS customer,
      w.time
    FROM varde.withdrawals AS w
    LEFT JOIN varde.identity AS l
      ON w.anonymous_id = l.anonymous_id
    WHERE w.anonymous_id IS NOT NULL
  )
SELECT customer, MAX(time) AS time
FROM said
GROUP BY customer
