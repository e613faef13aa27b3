-- Grain: one row a row item and column item of a relation: the number of customers behind the pair.
-- Parameters: @relation (INT64), @first, @last (STRING: the row items, by the order of their bytes).
-- Source: varde.pair_counts, which is clustered by the columns of the filter, in their order: a range costs its own bytes.
SELECT row_item, column_item, customers
FROM varde.pair_counts
WHERE relation = @relation AND row_item BETWEEN @first AND @last
