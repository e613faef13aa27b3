-- personal: read customers' latest items, and the serving rows of what was viewed last, in one round trip.
--
-- NOT FOR A CLUSTER: the numbers and rows of the items are keys that only the script can know, of any hash tag. On a
-- cluster the same is read in two trips (reads.personal).
--
-- KEYS[1..3] recents(customer, signal) of the first customer key, by signal
-- KEYS[4..6] the same of the next, and so on
-- ARGV[1] items whose rows are wanted: the newest views of the first customer key that has any
-- ARGV[2] relation
-- ARGV[3] number of shards
-- ARGV[4] numbers(shard) as a format of the shard
-- ARGV[5] row(relation, number) as a format of shard, relation and number
-- Returns {set, set, ..., {item id, row or nil, item id, row or nil, ...}}, a set being {member, time, ...}, newest first.
--
-- Why atomic: it need not be; it is a script so that the second trip is not made, which only begins when the first is back.
-- It writes nothing, so a retry reads again.
local call = redis.call

-- The shard of an item is its CRC-32 (keys.shard_of). Four bits at a time: a table of 256 would be made at every call.
local CRC = {
  [0] = 0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
  0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
}
local bxor, band, rshift = bit.bxor, bit.band, bit.rshift
local function crc32(text)
  local crc = -1
  for i = 1, #text do
    crc = bxor(crc, string.byte(text, i))
    crc = bxor(rshift(crc, 4), CRC[band(crc, 15)])
    crc = bxor(rshift(crc, 4), CRC[band(crc, 15)])
  end
  return bxor(crc, -1) % 0x100000000
end

local seeds, relation, shards, numbers, row = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local reply, rows = {}, {}
for k, key in ipairs(KEYS) do
  local set = call('ZREVRANGE', key, 0, -1, 'WITHSCORES')
  reply[k] = set
  if k % 3 == 1 and #rows == 0 then
    for i = 1, #set, 2 do
      if #rows >= 2 * seeds then
        break
      end
      local item = set[i]
      if item ~= '' then
        local shard = crc32(item) % shards
        local number = call('HGET', string.format(numbers, shard), item)
        rows[#rows + 1] = item
        rows[#rows + 1] = number and call('GET', string.format(row, shard, relation, number))
      end
    end
  end
end
reply[#reply + 1] = rows
return reply
