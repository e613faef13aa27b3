-- remember: merge a customer's latest items, and forget what an erasure covers.
--
-- KEYS[1] recents(customer)  sorted set: item id by time of the last interaction, ms; the member '' holds the time up
--                            to which the customer was erased, and is no item
-- ARGV[1] items kept
-- ARGV[2] seconds that the set is kept
-- ARGV[3] erased up to (ms), -1 for never
-- ARGV[4] 1 when an erasure leaves its mark, 0 when nothing is to remain of it
-- ARGV[5..] item id, time, item id, time, ...
-- Returns the number of items kept.
--
-- Why atomic: a reader must not see items of an erased customer between two steps.
-- A retry, and any other order of calls, ends in the same set: it is the latest time of each item, without what an
-- erasure covers, cut to the newest. That is why the erasure stays behind as a member (but for one that is to leave
-- nothing: what comes after it is kept, whatever its time).
local call = redis.call
local key, keep, erased = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[3])
local before = tonumber(call('ZSCORE', key, '') or -1)
local mark = ARGV[4] == '1' and math.max(erased, before) or before
erased = math.max(erased, before)
for i = 5, #ARGV, 2 do
  if ARGV[i] ~= '' and tonumber(ARGV[i + 1]) > erased then
    call('ZADD', key, 'GT', ARGV[i + 1], ARGV[i])
  end
end
local marks = 0
if erased >= 0 then
  call('ZREMRANGEBYSCORE', key, '-inf', string.format('%.0f', erased))
  if mark >= 0 then
    call('ZADD', key, string.format('%.0f', mark), '')
    marks = 1
  end
end
local items = call('ZCARD', key) - marks
if items > keep then
  call('ZREMRANGEBYRANK', key, marks, marks + items - keep - 1) -- the mark is the oldest member
  items = keep
end
call('EXPIRE', key, ARGV[2])
return items
