-- Grain: one row a universe and item: the number of customers who have the item in that history.
-- Parameters: none.
-- Source: varde.histories.
-- The item '' stands for the number of customers with a non-empty history (varde.pairs.ANY_ITEM); universe 3 is
-- anybody's, the others are the signals (varde.pairs.Universe).
SELECT signal AS universe, item, COUNT(*) AS customers
FROM varde.histories
GROUP BY signal, item
UNION ALL
SELECT signal AS universe, '' AS item, COUNT(DISTINCT customer) AS customers
FROM varde.histories
GROUP BY signal
UNION ALL
SELECT 3 AS universe, '' AS item, COUNT(DISTINCT customer) AS customers
FROM varde.histories
HAVING COUNT(*) > 0
