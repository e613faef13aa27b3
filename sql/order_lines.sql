-- Grain: one row a customer, item and order: when it was bought, and whether it was taken back (varde.orders).
-- Parameters: none.
-- Source: varde.deeds, varde.forgotten, varde.order_returns.
-- A line is taken back by a return of the same customer that names its order and its item, or the order and no item. Lines
-- without an order id (order '') cannot be: a return has an order.
SELECT
  d.customer,
  d.item,
  d.order_id,
  d.time,
  one.customer IS NOT NULL OR whole.customer IS NOT NULL AS returned
FROM varde.deeds AS d
LEFT JOIN varde.forgotten AS f
  ON d.customer = f.customer
LEFT JOIN varde.order_returns AS one
  ON d.customer = one.customer AND d.order_id = one.order_id AND d.item = one.item
LEFT JOIN varde.order_returns AS whole
  ON d.customer = whole.customer AND d.order_id = whole.order_id AND whole.item = ''
WHERE d.signal = 2
  AND (f.time IS NULL OR d.time > f.time)
