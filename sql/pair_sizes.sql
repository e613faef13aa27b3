-- Grain: one row a row item of a relation: in how many pairs it is the row.
-- Parameters: @relation (INT64).
-- Source: varde.pair_counts.
-- It tells how pair_rows can be read in ranges of a bounded size.
SELECT row_item, COUNT(*) AS cells
FROM varde.pair_counts
WHERE relation = @relation
GROUP BY row_item
