-- read_hashes: several hashes of one slot as they are at one moment, each with its time to live.
--
-- KEYS[1..]  hashes; there is no ARGV[1]
-- Returns for each {field, value, ...} and its time to live in ms (below zero: none), one after the other.
--
-- Why atomic: counts and the differences of their days belong together (docs/nightly.md). It only reads.
-- A retry reads again.
local out = {}
for _, key in ipairs(KEYS) do
  out[#out + 1] = redis.call('HGETALL', key)
  out[#out + 1] = redis.call('PTTL', key)
end
return out
