-- Grain: one row a relation, row item and column item: the number of distinct customers behind the pair.
-- Source: sql/pair_counts.sql in BigQuery, batch/outputs.py where pairs are counted here; replaced.
CREATE TABLE IF NOT EXISTS varde.pair_counts (
  relation INT64 OPTIONS (description = '0 also_viewed, 1 also_bought, 2 viewed_bought.'),
  row_item STRING OPTIONS (description = 'The item that was looked at or bought.'),
  column_item STRING OPTIONS (description = 'The other item.'),
  customers INT64 OPTIONS (description = 'Customers who have both.')
)
CLUSTER BY relation, row_item
OPTIONS (description = 'Customers by pair of items.')
