-- Grain: one row a universe and item, by name: the number of customers who have the item in that history.
-- Parameters: none.
-- Source: varde.supports.
-- The item is NULL in the rows that count all customers of a universe.
SELECT
  CASE universe WHEN 0 THEN 'view' WHEN 1 THEN 'cart' WHEN 2 THEN 'purchase' WHEN 3 THEN 'any' END AS universe,
  NULLIF(item, '') AS item,
  customers
FROM varde.supports
