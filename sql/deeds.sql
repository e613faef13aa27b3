-- Grain: one row a customer, signal, item and order: when the customer did it last. Signal 3 is a return.
-- Parameters: none.
-- Source: varde.interactions, varde.identity, varde.sales (purchases in the shop's stores, of users); what is in them is
--   inside the window.
-- The customer is the userId, else the user that the anonymousId is linked to, else the anonymousId; `u:` and `a:` keep
-- the two kinds of id apart. The order is '' where none is named; the item of a whole order that is returned is ''.
WITH
  resolved AS (
    SELECT
      COALESCE(i.user_id, l.user_id) AS user_id,
      i.anonymous_id,
      i.signal,
      i.item,
      COALESCE(i.order_id, '') AS order_id,
      i.time
    FROM varde.interactions AS i
    LEFT JOIN varde.identity AS l
      ON i.user_id IS NULL AND i.anonymous_id = l.anonymous_id
  ),
  named AS (
    SELECT
      IF(user_id IS NULL, CONCAT('a:', anonymous_id), CONCAT('u:', user_id)) AS customer,
      signal,
      item,
      order_id,
      time
    FROM resolved
    UNION ALL
    SELECT CONCAT('u:', user_id) AS customer, 2 AS signal, item, order_id, time
    FROM varde.sales
    WHERE fault IS NULL
  )
SELECT customer, signal, item, order_id, MAX(time) AS time
FROM named
GROUP BY customer, signal, item, order_id
