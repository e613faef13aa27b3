-- Grain: one row a relation, row item and column item: the number of distinct customers behind the pair.
-- Parameters: none.
-- Source: varde.histories, which hold an item once a customer and signal, so that rows are customers.
-- The numbers are varde.pairs.Relation and varde.history.Signal. Symmetric pairs stand in both directions.
WITH
  relations AS (
    SELECT 0 AS relation, 0 AS row_signal, 0 AS column_signal
    UNION ALL
    SELECT 1 AS relation, 2 AS row_signal, 2 AS column_signal
    UNION ALL
    SELECT 2 AS relation, 0 AS row_signal, 2 AS column_signal
  )
SELECT r.relation, a.item AS row_item, b.item AS column_item, COUNT(*) AS customers
FROM relations AS r
JOIN varde.histories AS a
  ON a.signal = r.row_signal
JOIN varde.histories AS b
  ON b.signal = r.column_signal AND b.customer = a.customer AND b.item != a.item
GROUP BY r.relation, a.item, b.item
