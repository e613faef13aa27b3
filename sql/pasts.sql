-- Grain: one row a customer and thing of the past that a stream is seeded with (varde.seed): a view (signal 0) or a cart
--   (1) of the histories, an order line (2), or a return (3).
-- Parameters: @orders_per_item, @items_kept, @returns_kept (INT64: the bounds of varde.orders).
-- Source: varde.histories, varde.order_lines, varde.order_returns.
-- Bounded like the stream's state (varde.orders): of an item the latest orders, the latest items, the latest
-- returns. What was not taken back goes first, so that the purchases that count are always in it.
WITH
  lines AS (
    SELECT
      customer,
      item,
      order_id,
      time,
      returned,
      ROW_NUMBER() OVER (PARTITION BY customer, item ORDER BY returned, time DESC, order_id) AS nth
    FROM varde.order_lines
  ),
  items AS (
    SELECT customer, item
    FROM lines
    WHERE nth = 1
    QUALIFY ROW_NUMBER() OVER (PARTITION BY customer ORDER BY returned, time DESC, item) <= @items_kept
  ),
  returns AS (
    SELECT customer, item, order_id, time
    FROM varde.order_returns
    WHERE TRUE
    QUALIFY ROW_NUMBER() OVER (PARTITION BY customer ORDER BY time DESC, order_id, item) <= @returns_kept
  )
SELECT customer, signal, item, '' AS order_id, time
FROM varde.histories
WHERE signal < 2
UNION ALL
SELECT l.customer, 2 AS signal, l.item, l.order_id, l.time
FROM lines AS l
JOIN items AS i
  ON l.customer = i.customer AND l.item = i.item
WHERE l.nth <= @orders_per_item
UNION ALL
SELECT customer, 3 AS signal, item, order_id, time
FROM returns
