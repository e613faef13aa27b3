-- Grain: one row a customer, order and item that was refunded or cancelled; the item is '' for the whole order.
-- Parameters: none.
-- Source: varde.deeds, varde.forgotten.
SELECT d.customer, d.order_id, d.item, d.time
FROM varde.deeds AS d
LEFT JOIN varde.forgotten AS f
  ON d.customer = f.customer
WHERE d.signal = 3
  AND (f.time IS NULL OR d.time > f.time)
