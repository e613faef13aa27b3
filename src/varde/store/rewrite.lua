-- rewrite: hashes of counts become what the warehouse says of the end of a day, plus the differences since.
--
-- KEYS[i]  for each hash: the hash of counts, its successor (see ARGV[2]), its serving row (with ARGV[4]), its hash of
--          each day since
-- ARGV[1]  number of day hashes for each hash of counts
-- ARGV[2]  MessagePack: for each hash [member, n, member, n, ...], all as text, no zeros; false when the successor, a
--          hash that was filled before, holds them
-- ARGV[3]  run id of the server that the caller knows, '' for none
-- ARGV[4], ARGV[5]  first and last byte of the revision in a packed row (rows.REVISION_SLICE); '' when there are no rows
-- Returns for each hash {changed, revision}: 1 when it has changed, else 0; and the revision of its row, '' without one,
-- when the hash is now what the caller gave and nothing else; false when there are differences since, or no rows. Or,
-- changing nothing, this server's run id as text when it is not ARGV[3] (see apply.lua).
--
-- Why atomic: a difference that comes in between belongs to the hash and to its day; a reader sees the old counts or
-- the new ones, never none. The revision is that of the moment at which the counts are the given ones, so the caller
-- need not read them back to make the row of them (store/patch.py).
-- A retry, and a repeat with the same counts at any later time, ends in the same: the day hashes are only read. Without
-- its successor it is refused and changes nothing.
local call = redis.call
local days, batch = tonumber(ARGV[1]), cmsgpack.unpack(ARGV[2])
local server = string.match(call('INFO', 'server'), 'run_id:(%w+)') or ''
if server ~= ARGV[3] then
  return server
end
local CHUNK = 2000
local stride = days + (ARGV[4] == '' and 2 or 3)

local function each_chunk(verb, key, words)
  for start = 1, #words, CHUNK do
    call(verb, key, unpack(words, start, math.min(start + CHUNK - 1, #words)))
  end
end

-- Adds the days to counts that are in the hash already; whether there was anything to add.
local function add(key, first, last)
  local any = false
  for day = first, last do
    local dated = call('HGETALL', KEYS[day])
    for j = 1, #dated, 2 do
      if call('HINCRBY', key, dated[j], dated[j + 1]) == 0 then
        call('HDEL', key, dated[j])
      end
    end
    any = any or #dated > 0
  end
  return any
end

-- What the hash becomes: as a list like `base`, and member -> n, both as text, which Redis and the caller write alike;
-- and whether there are differences since.
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
    return base, target, false
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
  return list, target, true
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
  if base == false and call('EXISTS', KEYS[(i - 1) * stride + 2]) == 0 then
    return redis.error_reply('VARDE rewrite refused: the successor is gone')
  end
end

local out = {}
for i, base in ipairs(batch) do
  local at = (i - 1) * stride + 1
  local key, successor, first, last = KEYS[at], KEYS[at + 1], at + stride - days, at + stride - 1
  local changed, differs = 1, false
  if base == false then
    call('UNLINK', key) -- what RENAME replaces would be freed here and now
    call('RENAME', successor, key)
    call('PERSIST', key) -- the successor would have gone by itself
    differs = add(key, first, last)
  else
    local list, target
    list, target, differs = wanted(base, first, last)
    changed = become(key, list, target) and 1 or 0
  end
  local revision = not differs and ARGV[4] ~= '' and call('GETRANGE', KEYS[at + 2], ARGV[4], ARGV[5])
  out[i] = {changed, revision}
end
return out
