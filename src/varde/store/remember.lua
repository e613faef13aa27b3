-- remember: merge a customer's latest items, and forget what an erasure covers.
--
-- KEYS[1] recents(customer, VIEW)  sorted set: item id by time of the last view, ms; the member '' holds the time up to
--                            which the customer was erased, for all of the customer's sets, and is no item
-- KEYS[2..] recents(customer, CART) and recents(customer, PURCHASE), as far as they get something; both for an erasure
-- ARGV[1] seconds that a set is kept
-- ARGV[2] erased up to (ms), -1 for never
-- ARGV[3] 1 when an erasure leaves its mark, 0 when nothing is to remain of it
-- ARGV[4..] for each key: members kept, members that follow for it; then for each key: member, time, member, time, ...
-- Returns the number of members kept in these sets.
--
-- Why atomic: a reader must not see items of an erased customer between two steps.
-- A retry, and any other order of calls, ends in the same sets: each is the latest time of every member, without what an
-- erasure covers, cut to the newest. That is why the erasure stays behind as a member (but for one that is to leave
-- nothing: what comes after it is kept, whatever its time).
local call = redis.call
local seconds, erased = ARGV[1], tonumber(ARGV[2])
local before = tonumber(call('ZSCORE', KEYS[1], '') or -1)
local forget = erased >= 0
local mark = ARGV[3] == '1' and math.max(erased, before) or before
erased = math.max(erased, before)
local first = 4 + 2 * #KEYS
local kept = 0
for k, key in ipairs(KEYS) do
  local keep, last = tonumber(ARGV[2 * k + 2]), first + 2 * tonumber(ARGV[2 * k + 3]) - 1
  for i = first, last, 2 do
    if ARGV[i] ~= '' and tonumber(ARGV[i + 1]) > erased then
      call('ZADD', key, 'GT', ARGV[i + 1], ARGV[i])
    end
  end
  first = last + 1
  if forget then
    call('ZREMRANGEBYSCORE', key, '-inf', string.format('%.0f', erased))
  end
  local marks = 0
  if k == 1 and mark >= 0 then
    call('ZADD', key, string.format('%.0f', mark), '') -- the oldest member: nothing up to it is kept
    marks = 1
  end
  local members = call('ZCARD', key) - marks
  if members > keep then
    call('ZREMRANGEBYRANK', key, marks, marks + members - keep - 1)
    members = keep
  end
  call('EXPIRE', key, seconds)
  kept = kept + members
end
return kept
