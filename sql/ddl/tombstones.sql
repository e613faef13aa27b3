-- Grain: one row an erasure of a customer; of several the latest counts.
-- Source: batch/loader.py from delete messages, batch/nightly.py from sql/deletes.sql, and batch/tombstones.py from
--   Redis; only ever added to.
CREATE TABLE IF NOT EXISTS varde.tombstones (
  customer STRING OPTIONS (description = 'The keyed hash of the customer (varde.keys.customer_key).'),
  erased_at INT64 OPTIONS (description = 'Up to when nothing of the customer counts, ms since the epoch.')
)
OPTIONS (description = 'Who asked to be forgotten, by keyed hash; only ever added to.')
