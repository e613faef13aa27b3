-- Grain: one row a user to whom an exposure or a message may belong.
-- Parameters: none.
-- Source: varde.experiment_exposures, varde.experiment_messages, varde.identity.
-- They are matched with varde.tombstones outside, by their keyed hash, and come back as the table varde.erasures.
WITH
  anonymous AS (
    SELECT unit AS anonymous_id
    FROM varde.experiment_exposures
    WHERE unit_kind = 'aid'
    UNION ALL
    SELECT anonymous_id
    FROM varde.experiment_messages
  ),
  named AS (
    SELECT unit AS user_id
    FROM varde.experiment_exposures
    WHERE unit_kind = 'uid'
    UNION ALL
    SELECT user_id
    FROM varde.experiment_messages
    UNION ALL
    SELECT l.user_id
    FROM anonymous AS a
    JOIN varde.identity AS l
      ON a.anonymous_id = l.anonymous_id
  )
SELECT DISTINCT user_id
FROM named
WHERE user_id IS NOT NULL
