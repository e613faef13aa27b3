-- remember: merge a customer's latest items, and forget what an erasure covers.
--
-- KEYS[1] recents(customer)  sorted set: item id by time of the last interaction, ms; the member '' holds the time up
--                            to which the customer was erased, and is no item
-- ARGV[1] items kept
-- ARGV[2] seconds that the set is kept
-- ARGV[3] erased up to (ms), -1 for never
-- ARGV[4..] item id, time, item id, time, ...
-- Returns the number of items kept.
--
-- Why atomic: a reader must not see items of an erased customer between two steps.
-- A retry, and any other order of calls, ends in the same set: it is the latest time of each item, without what an
-- erasure covers, cut to the newest. That is why the erasure stays behind as a member.
local call = redis.call
local key, keep, erased = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[3])
local before = call('ZSCORE', key, '')
if before and tonumber(before) > erased then
  erased = tonumber(before)
end
for i = 4, #ARGV, 2 do
  if ARGV[i] ~= '' and tonumber(ARGV[i + 1]) > erased then
    call('ZADD', key, 'GT', ARGV[i + 1], ARGV[i])
  end
end
local marks = 0
if erased >= 0 then
  local limit = string.format('%.0f', erased)
  call('ZREMRANGEBYSCORE', key, '-inf', limit)
  call('ZADD', key, limit, '')
  marks = 1
end
local items = call('ZCARD', key) - marks
if items > keep then
  call('ZREMRANGEBYRANK', key, marks, marks + items - keep - 1) -- the mark is the oldest member
  items = keep
end
call('EXPIRE', key, ARGV[2])
return items
