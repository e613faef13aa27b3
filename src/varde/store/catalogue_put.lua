-- catalogue_put: write records of the catalogue of one shard, each only if it is still what was read.
--
-- KEYS[1] catalogue(shard)  hash: item id -> record; '' -> time of the newest complete load, ms
-- ARGV[1] time of the feed load that this belongs to, ms; '' for anything else. A load that is older than the newest
--         complete one says nothing any more, and writes nothing
-- ARGV[2] most items of the shard
-- ARGV[3..] item id, record that was read ('' for none), new record ('' to delete), ...
-- Returns {1 if the load is too old else 0, {indices i of items that others have changed}, {those without room}}.
--
-- Why atomic: compare and set. Two writers that merge into one record from the same reading would lose what the first
-- has said; and an item that a complete load has removed would come back by an older load that has read before it.
-- A retry of a call whose answer was lost reports conflicts for its own items; the caller reads and merges again, and
-- finds nothing left to change.
local call = redis.call
local key, as_of, most = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
local changed, full = {}, {}
if as_of and as_of < tonumber(call('HGET', key, '') or -1) then
  return {1, changed, full}
end
local size = call('HLEN', key)
for i = 3, #ARGV, 3 do
  local item, read, new = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  local index = (i - 3) / 3
  if (call('HGET', key, item) or '') ~= read then
    changed[#changed + 1] = index
  elseif new == '' then
    size = size - call('HDEL', key, item)
  elseif read == '' and size >= most and item ~= '' then
    full[#full + 1] = index
  else
    size = size + call('HSET', key, item, new)
  end
end
return {0, changed, full}
