-- intern: item ids of one shard -> item numbers, handing out a number to every id that has none.
--
-- KEYS[1] numbers(shard)   hash: item id -> item number
-- KEYS[2] names(shard)     hash: item number -> item id
-- KEYS[3] sequence(shard)  hash: last -> last sequence number handed out, server -> run id of the server that did
-- ARGV[1] shard
-- ARGV[2] number of shards
-- ARGV[3] most ids of the shard that have a number
-- ARGV[4..] item ids, any bytes
-- Returns the numbers as text, in the order of the ids; empty text for an id that has come too late for one.
--
-- Why atomic: two writers that meet a new item at once must get the same number, and no number may have two items.
-- A retry finds the numbers of the first try and changes nothing.
--
-- A server that starts again may have lost its newest writes, but processes that learnt a number before may still use
-- it. So the first allocation under another run id skips more numbers than the lost tail can hold: a lost number is
-- never given to another item.
local GAP = 4096
local LIMIT = 2 ^ 32

local call = redis.call
local shard, shards = tonumber(ARGV[1]), tonumber(ARGV[2])
local found, missing = {}, {}
for i = 4, #ARGV do
  local number = call('HGET', KEYS[1], ARGV[i])
  found[i - 3] = number
  if not number then
    missing[#missing + 1] = i
  end
end
if #missing == 0 then
  return found
end

local room = tonumber(ARGV[3]) - call('HLEN', KEYS[1])
if room <= 0 then
  for _, i in ipairs(missing) do
    found[i - 3] = ''
  end
  return found
end

local last = tonumber(call('HGET', KEYS[3], 'last') or 0)
local server = string.match(call('INFO', 'server'), 'run_id:(%w+)') or ''
local known = call('HGET', KEYS[3], 'server')
if known and known ~= server then
  last = last + GAP
end
if (last + #missing) * shards + shard >= LIMIT then
  return redis.error_reply('VARDE no item number is left in shard ' .. ARGV[1])
end
for _, i in ipairs(missing) do
  local number = call('HGET', KEYS[1], ARGV[i]) -- an id may be given twice
  if not number and room <= 0 then
    number = ''
  elseif not number then
    room = room - 1
    last = last + 1
    number = string.format('%.0f', last * shards + shard)
    call('HSET', KEYS[1], ARGV[i], number)
    call('HSET', KEYS[2], number, ARGV[i])
  end
  found[i - 3] = number
end
call('HSET', KEYS[3], 'last', string.format('%.0f', last), 'server', server)
return found
