-- Grain: one row a relation, item and neighbour that is among the best @top by any ranking.
-- Source: sql/neighbours.sql; replaced at the end of a run that was applied.
CREATE TABLE IF NOT EXISTS varde.neighbours (
  relation STRING OPTIONS (description = '`also_viewed`, `also_bought` or `viewed_bought`.'),
  item STRING OPTIONS (description = 'The item that was looked at or bought.'),
  neighbour STRING OPTIONS (description = 'The item that goes with it.'),
  customers INT64 OPTIONS (description = 'Customers who have both: the score of `count`.'),
  item_customers INT64 OPTIONS (description = 'Customers who have the item.'),
  other_customers INT64 OPTIONS (description = 'Customers who have the neighbour.'),
  total_customers INT64 OPTIONS (description = 'All customers of the relation.'),
  llr FLOAT64 OPTIONS (description = 'Log-likelihood ratio, negative where the pair is rarer than chance.'),
  cosine FLOAT64 OPTIONS (description = 'Cosine, shrunk where few customers are behind it.'),
  jaccard FLOAT64 OPTIONS (description = 'Customers with both, as a part of those with either.'),
  llr_rank INT64 OPTIONS (description = 'Place by llr, from 1.'),
  cosine_rank INT64 OPTIONS (description = 'Place by cosine, from 1.'),
  jaccard_rank INT64 OPTIONS (description = 'Place by jaccard, from 1.'),
  count_rank INT64 OPTIONS (description = 'Place by customers, from 1.')
)
CLUSTER BY relation, item
OPTIONS (description = 'The best neighbours of each item by every ranking. For reports.')
