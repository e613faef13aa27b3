-- read_rows: serving rows of one shard together with the exact counts that a patch puts into them.
--
-- KEYS[2i-1] row(relation, item)    packed serving row
-- KEYS[2i]   pairs(relation, item)  hash: column item number -> pair count
-- ARGV[1] MessagePack: [[column, ...], ...], one list for each pair of keys
-- ARGV[2] most neighbours of an item without a row that are read at once
-- Returns for each i: [row or nil, neighbours, counts, everything]. counts are those of the columns (nil: none);
-- everything is the flat hash when there is no row and it is not too large, else [].
--
-- Why atomic: fewer round trips is the reason; the order is what matters. The row, and with it its revision, is read
-- before the counts, so a count that changes later belongs to a later patch, which put_rows.lua orders by revision.
-- Writes nothing: a retry reads again.
local call = redis.call
local changed, most = cmsgpack.unpack(ARGV[1]), tonumber(ARGV[2])
local out = {}
for i, columns in ipairs(changed) do
  local row, pairs_ = call('GET', KEYS[2 * i - 1]), KEYS[2 * i]
  local neighbours = call('HLEN', pairs_)
  local everything, counts = {}, {}
  if not row and neighbours <= most then
    everything = call('HGETALL', pairs_)
  elseif #columns > 0 then
    counts = call('HMGET', pairs_, unpack(columns))
  end
  out[i] = {row, neighbours, counts, everything}
end
return out
