CREATE TABLE IF NOT EXISTS varde.faults (
  signal INT64 OPTIONS (description = '0 view, 1 cart, 2 purchase, 3 return, 4 store sale, 5 catalogue row, 6 raw message.'),
  reason STRING OPTIONS (description = 'The first reason.'),
  messages INT64 OPTIONS (description = 'How many.')
)
OPTIONS (description = 'Messages and rows that did not count, by reason.')
