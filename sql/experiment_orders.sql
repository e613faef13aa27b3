-- Grain: one row an order.
-- Parameters: none.
-- Source: varde.experiment_events.
-- Of messages with one order id the earliest counts; an order without an id is its message. The value is `revenue`, else
-- `total`, else the sum of price times quantity (1 where none is said). What was refunded is deducted: `total` of the
-- refund, else its `revenue`, else the value of its lines by their own price or that of the order; a refund that says none
-- of these, and a cancellation, takes the whole order back. Whoever returns it: refunds come from back offices.
-- An order that was taken back whole does not count. Money is in the currency of the order.
WITH
  placed AS (
    SELECT
      message_id,
      order_id,
      customer,
      user_id,
      anonymous_id,
      time,
      currency,
      COALESCE(
        IF(MAX(revenue) BETWEEN 0 AND 1e12, MAX(revenue), NULL),
        IF(MAX(total) BETWEEN 0 AND 1e12, MAX(total), NULL),
        SUM(price * COALESCE(quantity, 1)),
        0
      ) AS gross,
      SUM(IF(product, COALESCE(quantity, 1), 0)) AS bought
    FROM varde.experiment_events
    WHERE kind = 'order'
    GROUP BY message_id, order_id, customer, user_id, anonymous_id, time, currency
  ),
  once AS (
    SELECT message_id, order_id, customer, user_id, anonymous_id, time, currency, gross, bought
    FROM placed
    WHERE TRUE
    QUALIFY order_id IS NULL OR ROW_NUMBER() OVER (PARTITION BY order_id ORDER BY time, message_id) = 1
  ),
  lines AS (
    SELECT o.order_id, e.item, MAX(e.price) AS price, SUM(COALESCE(e.quantity, 1)) AS quantity
    FROM once AS o
    JOIN varde.experiment_events AS e
      ON e.kind = 'order' AND e.message_id = o.message_id
    WHERE o.order_id IS NOT NULL AND e.item IS NOT NULL
    GROUP BY o.order_id, e.item
  ),
  refunds AS (
    SELECT
      r.order_id,
      r.message_id,
      LOGICAL_OR(r.cancelled) AS cancelled,
      COALESCE(
        ABS(MAX(r.total)), ABS(MAX(r.revenue)), SUM(COALESCE(r.price, l.price) * COALESCE(r.quantity, l.quantity, 1))
      ) AS value,
      SUM(IF(r.product, COALESCE(r.quantity, l.quantity, 1), 0)) AS pieces
    FROM varde.experiment_events AS r
    LEFT JOIN lines AS l
      ON r.order_id = l.order_id AND r.item = l.item
    WHERE r.kind = 'return'
    GROUP BY r.order_id, r.message_id
  ),
  returned AS (
    SELECT
      order_id,
      LOGICAL_OR(cancelled OR value IS NULL) AS whole,
      SUM(COALESCE(value, 0)) AS value,
      SUM(pieces) AS pieces
    FROM refunds
    GROUP BY order_id
  ),
  judged AS (
    SELECT
      o.message_id,
      o.order_id,
      o.customer,
      o.user_id,
      o.anonymous_id,
      o.time,
      o.currency,
      o.gross,
      o.bought,
      COALESCE(r.value, 0) AS value,
      COALESCE(r.pieces, 0) AS pieces,
      -- Less than half a hundredth is nothing: sums of prices are not exact.
      COALESCE(
        r.whole OR IF(o.gross > 0, o.gross - r.value < 0.005, o.bought > 0 AND r.pieces >= o.bought), FALSE
      ) AS whole
    FROM once AS o
    LEFT JOIN returned AS r
      ON o.order_id = r.order_id
  )
SELECT
  message_id,
  order_id,
  customer,
  user_id,
  anonymous_id,
  time,
  DIV(time, 86400000) AS day,
  currency,
  gross,
  IF(whole, gross, LEAST(value, gross)) AS refunded,
  IF(whole, 0e0, GREATEST(gross - value, 0e0)) AS revenue,
  IF(whole, 0e0, GREATEST(bought - pieces, 0)) AS items,
  NOT whole AS counts
FROM judged
