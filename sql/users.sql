-- Grain: one row a user who did something inside the window.
-- Parameters: none.
-- Source: varde.deeds.
-- They are matched with varde.tombstones outside, by their keyed hash, and come back as the table varde.erasures.
SELECT DISTINCT SUBSTR(customer, 3) AS user_id
FROM varde.deeds
WHERE STARTS_WITH(customer, 'u:')
