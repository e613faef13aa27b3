-- freeze: give each slot of a mailing to a customer the item that it stays with.
--
-- KEYS[1] frozen(customer)         hash: send -> its end, s since the epoch, in 4 bytes; cmsgpack {note, slot, item, slot, item, ...}
-- KEYS[2] recents(customer, VIEW)  its member '' holds the time up to which the customer was erased, ms
-- ARGV[1] the send
-- ARGV[2] time of the request, ms
-- ARGV[3] seconds that what is frozen now is kept
-- ARGV[4] sends of a customer that are kept at most
-- ARGV[5] note that is kept with a new send
-- ARGV[6] number of slots that are asked for
-- ARGV[7] number of items that must not be given
-- ARGV[8..] the slots, then the items that must not be given, then the candidates, best first
-- Returns {item or '', item or '', ...}, in the order of the slots that are asked for.
--
-- Why atomic: two renders at once would give the same slot two items, or two slots the same item.
-- A retry finds what the first freeze left. What an erasure covers is answered, and nothing is written.
local call = redis.call
local send, now, keep, most = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local asked, barring = tonumber(ARGV[6]), tonumber(ARGV[7])
local now_s = math.floor(now / 1000)

local slots, items, taken, note = {}, {}, {}, ARGV[5]
local held = call('HGET', KEYS[1], send)
if held and struct.unpack('>I4', held) > now_s then
  local flat = cmsgpack.unpack(string.sub(held, 5))
  note = flat[1]
  for i = 2, #flat, 2 do
    slots[#slots + 1], items[flat[i]], taken[flat[i + 1]] = flat[i], flat[i + 1], true
  end
end
local barred = {}
for i = 8 + asked, 7 + asked + barring do
  barred[ARGV[i]], taken[ARGV[i]] = true, true
end

local reply, at, changed = {}, 8 + asked + barring, false
for i = 8, 7 + asked do
  local slot = tonumber(ARGV[i])
  local item = items[slot]
  if not item or barred[item] then
    while ARGV[at] and taken[ARGV[at]] do
      at = at + 1
    end
    local found = ARGV[at]
    if found then
      if not item then
        slots[#slots + 1] = slot
      end
      items[slot], taken[found], changed = found, true, true
    end
    item = found or ''
  end
  reply[#reply + 1] = item
end
if not changed or tonumber(call('ZSCORE', KEYS[2], '') or -1) >= now then
  return reply
end

local flat = {note}
for _, slot in ipairs(slots) do
  flat[#flat + 1] = slot
  flat[#flat + 1] = items[slot]
end
call('HSET', KEYS[1], send, struct.pack('>I4', now_s + keep) .. cmsgpack.pack(flat))

-- Sends that are over go, then those that end first.
local all, ends, last = call('HGETALL', KEYS[1]), {}, 0
for i = 1, #all, 2 do
  local over = struct.unpack('>I4', all[i + 1])
  if over <= now_s then
    call('HDEL', KEYS[1], all[i])
  else
    last = math.max(last, over)
    if all[i] ~= send then
      ends[#ends + 1] = {over, all[i]}
    end
  end
end
table.sort(ends, function(a, b)
  return a[1] < b[1] or (a[1] == b[1] and a[2] < b[2])
end)
for i = 1, #ends + 1 - most do
  call('HDEL', KEYS[1], ends[i][2])
end
call('EXPIRE', KEYS[1], last - now_s)
return reply
