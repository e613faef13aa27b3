-- rewrite: hashes of counts become what the warehouse says of the end of a day, plus the differences since.
--
-- KEYS[i]  for each hash: the hash of counts, its successor (see ARGV[2]), its hash of each day since
-- ARGV[1]  number of day hashes for each hash of counts
-- ARGV[2]  MessagePack: for each hash [member, n, member, n, ...], all as text, no zeros; false when the successor, a
--          hash that was filled before, holds them
-- ARGV[3]  run id of the server that the caller knows, '' for none
-- Returns for each hash 1 when it has changed, else 0; or, changing nothing, this server's run id as text when it is not
-- ARGV[3] (see apply.lua).
--
-- Why atomic: a difference that comes in between belongs to the hash and to its day; a reader sees the old counts or
-- the new ones, never none.
-- A retry, and a repeat with the same counts at any later time, ends in the same: the day hashes are only read. Without
-- its successor it is refused and changes nothing.
local call = redis.call
local days, batch = tonumber(ARGV[1]), cmsgpack.unpack(ARGV[2])
local server = string.match(call('INFO', 'server'), 'run_id:(%w+)') or ''
if server ~= ARGV[3] then
  return server
end
local CHUNK = 2000

local function each_chunk(verb, key, words)
  for start = 1, #words, CHUNK do
    call(verb, key, unpack(words, start, math.min(start + CHUNK - 1, #words)))
  end
end

-- Adds the days to counts that are in the hash already.
local function add(key, first, last)
  for day = first, last do
    local dated = call('HGETALL', KEYS[day])
    for j = 1, #dated, 2 do
      if call('HINCRBY', key, dated[j], dated[j + 1]) == 0 then
        call('HDEL', key, dated[j])
      end
    end
  end
end

-- What the hash becomes: as a list like `base`, and member -> n. Both as text, which Redis and the caller write alike.
local function wanted(base, first, last)
  local target, any = {}, false
  for j = 1, #base, 2 do
    target[base[j]] = base[j + 1]
  end
  for day = first, last do
    local dated = call('HGETALL', KEYS[day])
    for j = 1, #dated, 2 do
      any = true
      target[dated[j]] = string.format('%.0f', (target[dated[j]] or 0) + dated[j + 1])
    end
  end
  if not any then
    return base, target
  end
  local list = {}
  for member, n in pairs(target) do
    if n == '0' then
      target[member] = nil
    else
      list[#list + 1] = member
      list[#list + 1] = n
    end
  end
  return list, target
end

-- Makes the hash hold `list`, which `target` says too (and loses); whether that changes anything.
local function become(key, list, target)
  local now = call('HGETALL', key)
  if 2 * #list <= #now then -- anew: a small hash takes less room when it never was a large one
    call('UNLINK', key)
    each_chunk('HSET', key, list)
    return #now > 0
  end
  local put, gone = {}, {}
  for j = 1, #now, 2 do
    local member, n = now[j], target[now[j]]
    if n == now[j + 1] then
      target[member] = nil
    elseif not n then
      gone[#gone + 1] = member
    end
  end
  for member, n in pairs(target) do
    put[#put + 1] = member
    put[#put + 1] = n
  end
  each_chunk('HSET', key, put)
  each_chunk('HDEL', key, gone)
  return #put + #gone > 0
end

-- Asked before anything is written: a repeat that comes after the successor has taken its place must not empty the hash.
for i, base in ipairs(batch) do
  if base == false and call('EXISTS', KEYS[(i - 1) * (days + 2) + 2]) == 0 then
    return redis.error_reply('VARDE rewrite refused: the successor is gone')
  end
end

local out = {}
for i, base in ipairs(batch) do
  local at = (i - 1) * (days + 2) + 1
  local key, successor, first, last = KEYS[at], KEYS[at + 1], at + 2, at + days + 1
  if base == false then
    call('UNLINK', key) -- what RENAME replaces would be freed here and now
    call('RENAME', successor, key)
    call('PERSIST', key) -- the successor would have gone by itself
    add(key, first, last)
    out[i] = 1
  else
    local list, target = wanted(base, first, last)
    out[i] = become(key, list, target) and 1 or 0
  end
end
return out
