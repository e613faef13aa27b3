-- Grain: one row a signal and reason: how many messages inside the window did not count, each by its first reason;
--   and how many have a time that is missing or cannot be true.
-- Source: sql/faults.sql; replaced every night.
CREATE TABLE IF NOT EXISTS varde.faults (
  signal INT64 OPTIONS (description = '0 view, 1 cart, 2 purchase, 3 return, 4 store sale, 5 catalogue row, 6 raw message, 7 a call that may link ids.'),
  reason STRING OPTIONS (description = 'The first reason.'),
  messages INT64 OPTIONS (description = 'How many.')
)
OPTIONS (description = 'Messages and rows that did not count, or not by the time they say, by reason.')
