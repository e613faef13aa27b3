-- apply: one batch of count differences of one shard, at most once.
--
-- KEYS[1] applied(shard, run, lane, block, part)  bitmap of the batches that were applied
-- KEYS[2..] hashes of counts and sorted sets, in the order in which ARGV[4] uses them, all of the same shard
-- ARGV[1] bit of this batch in the bitmap
-- ARGV[2] seconds that the bitmap is kept after its last batch
-- ARGV[3] number of leading groups of ARGV[4] whose new sums are returned
-- ARGV[4] MessagePack: [groups, weights]
--   groups: [dated, seconds, member, n, member, n, ...], members as text; takes the next key and, when dated = 1, the one after it too,
--           which is kept for so many seconds from now
--   weights: [member, weight, ...]; takes the next key, a sorted set
-- ARGV[5] run id of the server that the caller knows, '' for none
-- ARGV[6] most members of a sorted set; the lightest go
-- Returns 0 when the batch was applied before; else [sum, ...] of the leading groups, members in order; else, changing
-- nothing, this server's run id as text when it is not ARGV[5].
--
-- Why atomic: the token and the differences stand or fall together, and a reader never sees half a batch.
-- A retry finds its bit set and changes nothing, whatever it carries.
-- A script is not rolled back, so everything is decoded and checked before the first write.
-- The run id: a server that starts again without its newest writes may not know the item numbers that the caller has
-- remembered, so a batch made for another life of the server is sent back to be made anew (6 microseconds).
local call = redis.call
local bit, keep, watched = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local batch = cmsgpack.unpack(ARGV[4])
local groups, weights = batch[1], batch[2]

local function refuse(why)
  return redis.error_reply('VARDE batch refused: ' .. why)
end

if not (bit and keep and watched) then
  return refuse('bit, seconds and watched must be numbers')
end
local used = 1
for _, group in ipairs(groups) do
  local dated, seconds = group[1], group[2]
  if (dated ~= 0 and dated ~= 1) or type(seconds) ~= 'number' or #group % 2 ~= 0 then
    return refuse('malformed group')
  end
  for j = 4, #group, 2 do
    local n = group[j]
    if type(n) ~= 'number' or n % 1 ~= 0 then
      return refuse('not a whole number')
    end
  end
  used = used + 1 + dated
end
for _, entries in ipairs(weights) do
  if #entries % 2 ~= 0 then
    return refuse('malformed weights')
  end
  for j = 1, #entries do
    local number = entries[j]
    if type(number) ~= 'number' or number ~= number or number == math.huge or number == -math.huge then
      return refuse('not a finite number')
    end
  end
  used = used + 1
end
if used ~= #KEYS then
  return refuse(#KEYS .. ' keys for ' .. used .. ' places')
end

local server = string.match(call('INFO', 'server'), 'run_id:(%w+)') or ''
if server ~= ARGV[5] then
  return server
end

if call('SETBIT', KEYS[1], bit, 1) == 1 then
  return 0
end
call('EXPIRE', KEYS[1], keep)

-- Redis writes a Lua number as text with %.17g at every call; most differences are 1, so the text is kept.
local text = setmetatable({}, {
  __index = function(known, n)
    local written = string.format('%.0f', n)
    known[n] = written
    return written
  end,
})
local sums = {}
local at = 1
for i, group in ipairs(groups) do
  local key, day = KEYS[at + 1], nil
  at = at + 1 + group[1]
  if group[1] == 1 then
    day = KEYS[at]
  end
  for j = 3, #group, 2 do
    local member, n = group[j], text[group[j + 1]]
    local sum = call('HINCRBY', key, member, n)
    if sum == 0 then
      call('HDEL', key, member)
    end
    if i <= watched then
      sums[#sums + 1] = sum
    end
    if day and call('HINCRBY', day, member, n) == 0 then
      call('HDEL', day, member)
    end
  end
  if day then
    call('EXPIRE', day, group[2])
  end
end
for _, entries in ipairs(weights) do
  at = at + 1
  for j = 1, #entries, 2 do
    call('ZINCRBY', KEYS[at], entries[j + 1], entries[j])
  end
  call('ZREMRANGEBYRANK', KEYS[at], 0, -1 - ARGV[6])
end
return sums
