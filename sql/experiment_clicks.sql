-- Grain: one row a list and item that was clicked in it, at the earliest click.
-- Parameters: @views_within (INT64, ms: a product that is viewed no later than this after a list showed it counts as
--   clicked; 0: views are no clicks).
-- Source: varde.experiment_events, varde.experiment_lists, varde.experiment_units.
-- A click that names a request belongs to the list of that request, of several lists to one that has the item. Any other
-- belongs, in each experiment, to the latest list before it in which the same customer was shown the item. It counts
-- within the time of the list's unit. A team is the variation that put the item into the list.
WITH
  clicked AS (
    SELECT kind, message_id, customer, request_id, COALESCE(item, '') AS item, time
    FROM varde.experiment_events
    WHERE kind = 'click' OR (kind = 'view' AND @views_within > 0)
  ),
  lists AS (
    SELECT
      l.experiment, l.unit_kind, l.unit, l.customer, l.list_id, l.request_id, l.items, l.time, u.number, u.several,
      u.first_exposure, u.counts_until
    FROM varde.experiment_lists AS l
    JOIN varde.experiment_units AS u
      ON l.experiment = u.experiment AND l.unit_kind = u.unit_kind AND l.unit = u.unit
  ),
  shown AS (
    SELECT
      l.experiment, l.unit_kind, l.unit, l.customer, l.list_id, l.time, l.number, l.several, l.first_exposure, l.counts_until,
      JSON_VALUE(one, '$.item') AS item,
      JSON_VALUE(one, '$.team') AS team
    FROM lists AS l
    CROSS JOIN UNNEST(JSON_QUERY_ARRAY(l.items)) AS one
  ),
  by_request AS (
    SELECT
      c.message_id, c.item, c.time, l.experiment, l.unit_kind, l.unit, l.number, l.several, l.first_exposure,
      l.counts_until, l.list_id, s.team
    FROM clicked AS c
    JOIN lists AS l
      ON c.request_id = l.request_id
    LEFT JOIN shown AS s
      ON l.experiment = s.experiment AND l.unit_kind = s.unit_kind AND l.unit = s.unit AND l.list_id = s.list_id
      AND c.item = s.item
    WHERE c.kind = 'click'
    QUALIFY ROW_NUMBER() OVER (
      PARTITION BY c.message_id
      ORDER BY IF(s.item IS NULL, 1, 0), l.time DESC, l.experiment, l.list_id, l.unit_kind, l.unit, s.team
    ) = 1
  ),
  by_item AS (
    SELECT
      c.item, c.time, s.experiment, s.unit_kind, s.unit, s.number, s.several, s.list_id, s.team
    FROM clicked AS c
    JOIN shown AS s
      ON c.customer = s.customer AND c.item = s.item
    LEFT JOIN by_request AS r
      ON c.message_id = r.message_id AND c.kind = 'click'
    WHERE r.message_id IS NULL
      AND c.time BETWEEN s.time AND s.counts_until
      AND (c.kind = 'click' OR c.time <= s.time + @views_within)
    QUALIFY ROW_NUMBER() OVER (
      PARTITION BY s.experiment, c.kind, c.message_id ORDER BY s.time DESC, s.list_id, s.unit_kind, s.unit, s.team
    ) = 1
  ),
  together AS (
    SELECT experiment, unit_kind, unit, number, several, list_id, item, team, time, 'request' AS found_by
    FROM by_request
    WHERE time BETWEEN first_exposure AND counts_until
    UNION ALL
    SELECT experiment, unit_kind, unit, number, several, list_id, item, team, time, 'item' AS found_by
    FROM by_item
  )
SELECT
  experiment,
  unit_kind,
  unit,
  number,
  list_id,
  item,
  MIN(team) AS team,
  MIN(time) AS time,
  DIV(MIN(time), 86400000) AS day,
  MAX(found_by) AS found_by
FROM together
WHERE NOT several
GROUP BY experiment, unit_kind, unit, number, list_id, item
