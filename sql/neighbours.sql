-- Grain: one row a relation, item and neighbour that is among the best @top by any ranking.
-- Parameters: @top (INT64: neighbours kept by each ranking).
-- Source: varde.pair_counts, varde.supports.
-- The scores are those of varde.ranking, with k = customers, a = item_customers, b = other_customers, n = total_customers.
-- Ranks begin at 1. Scores that are equal in nine decimals are ties, which are broken by the customers of the pair, then by the neighbour's id in byte order (the serving
-- rows take the item's number instead).
WITH
  relations AS (
    SELECT 0 AS relation, 'also_viewed' AS label, 0 AS row_universe, 0 AS column_universe, 0 AS total_universe
    UNION ALL
    SELECT 1 AS relation, 'also_bought' AS label, 2 AS row_universe, 2 AS column_universe, 2 AS total_universe
    UNION ALL
    SELECT 2 AS relation, 'viewed_bought' AS label, 0 AS row_universe, 2 AS column_universe, 3 AS total_universe
  ),
  pairs AS (
    SELECT
      r.label AS relation,
      p.row_item AS item,
      p.column_item AS neighbour,
      p.customers,
      a.customers AS item_customers,
      b.customers AS other_customers,
      n.customers AS total_customers,
      CAST(p.customers AS FLOAT64) AS k,
      CAST(a.customers AS FLOAT64) AS a,
      CAST(b.customers AS FLOAT64) AS b,
      CAST(n.customers AS FLOAT64) AS n
    FROM varde.pair_counts AS p
    JOIN relations AS r
      ON p.relation = r.relation
    JOIN varde.supports AS a
      ON a.universe = r.row_universe AND a.item = p.row_item
    JOIN varde.supports AS b
      ON b.universe = r.column_universe AND b.item = p.column_item
    JOIN varde.supports AS n
      ON n.universe = r.total_universe AND n.item = ''
  ),
  -- Everybody: at least those with either item.
  sized AS (
    SELECT
      relation, item, neighbour, customers, item_customers, other_customers, total_customers,
      k, a, b, GREATEST(n, a + b - k) AS n
    FROM pairs
  ),
  -- x ln x of the four cells of the table and of its margins; 0 for 0.
  parts AS (
    SELECT
      relation, item, neighbour, customers, item_customers, other_customers, total_customers,
      k, a, b, n,
      IF(k > 0, k * LN(IF(k > 0, k, 1)), 0)
        + IF(a - k > 0, (a - k) * LN(IF(a - k > 0, a - k, 1)), 0)
        + IF(b - k > 0, (b - k) * LN(IF(b - k > 0, b - k, 1)), 0)
        + IF(n - a - b + k > 0, (n - a - b + k) * LN(IF(n - a - b + k > 0, n - a - b + k, 1)), 0) AS cells,
      IF(a > 0, a * LN(IF(a > 0, a, 1)), 0)
        + IF(n - a > 0, (n - a) * LN(IF(n - a > 0, n - a, 1)), 0)
        + IF(b > 0, b * LN(IF(b > 0, b, 1)), 0)
        + IF(n - b > 0, (n - b) * LN(IF(n - b > 0, n - b, 1)), 0) AS margins,
      IF(n > 0, n * LN(IF(n > 0, n, 1)), 0) AS whole
    FROM sized
  ),
  scored AS (
    SELECT
      relation, item, neighbour, customers, item_customers, other_customers, total_customers,
      IF(k * n >= a * b, 1, -1) * GREATEST(2 * (cells + whole - margins), 0) AS llr,
      SAFE_DIVIDE(k, SQRT(GREATEST(a * b, 1))) * SAFE_DIVIDE(k, k + 20) AS cosine,  -- varde.ranking.SHRINKAGE
      SAFE_DIVIDE(k, GREATEST(a + b - k, 1)) AS jaccard
    FROM parts
  ),
  ranked AS (
    SELECT
      relation, item, neighbour, customers, item_customers, other_customers, total_customers, llr, cosine, jaccard,
      ROW_NUMBER() OVER (PARTITION BY relation, item ORDER BY ROUND(llr, 9) DESC, customers DESC, neighbour) AS llr_rank,
      ROW_NUMBER() OVER (PARTITION BY relation, item ORDER BY ROUND(cosine, 9) DESC, customers DESC, neighbour) AS cosine_rank,
      ROW_NUMBER() OVER (PARTITION BY relation, item ORDER BY ROUND(jaccard, 9) DESC, customers DESC, neighbour) AS jaccard_rank,
      ROW_NUMBER() OVER (PARTITION BY relation, item ORDER BY customers DESC, neighbour) AS count_rank
    FROM scored
  )
SELECT
  relation, item, neighbour, customers, item_customers, other_customers, total_customers, llr, cosine, jaccard,
  llr_rank, cosine_rank, jaccard_rank, count_rank
FROM ranked
WHERE LEAST(llr_rank, cosine_rank, jaccard_rank, count_rank) <= @top
