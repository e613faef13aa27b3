-- stick: note which variations of experiments a customer stays in.
--
-- KEYS[1] sticky(customer)         hash: EXPERIMENT__VERSION -> variation
-- KEYS[2] recents(customer, VIEW)  its member '' holds the time up to which the customer was erased, ms
-- ARGV[1] seconds that the hash is kept
-- ARGV[2] fields that it has at most
-- ARGV[3] time of the earliest request that this comes from, ms
-- ARGV[4..] field, variation, field, variation, ...
-- Returns the number of fields; 0 when an erasure covers the requests, and nothing is written.
--
-- Why atomic: an erasure between the look at its mark and the write would be undone.
-- A retry ends in the same hash. What was there before goes first when there are too many.
local call = redis.call
local most = tonumber(ARGV[2])
if tonumber(call('ZSCORE', KEYS[2], '') or -1) >= tonumber(ARGV[3]) then
  return 0
end
local new, n = {}, 0
for i = 4, #ARGV, 2 do
  if n == most then
    break
  end
  call('HSET', KEYS[1], ARGV[i], ARGV[i + 1])
  new[ARGV[i]], n = true, n + 1
end
local over = call('HLEN', KEYS[1]) - most
if over > 0 then
  for _, field in ipairs(call('HKEYS', KEYS[1])) do
    if over > 0 and not new[field] then
      call('HDEL', KEYS[1], field)
      over = over - 1
    end
  end
end
call('EXPIRE', KEYS[1], ARGV[1])
return call('HLEN', KEYS[1])
