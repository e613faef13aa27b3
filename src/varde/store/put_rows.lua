-- put_rows: write serving rows of one shard, each only if its revision is the one that was read.
--
-- KEYS[1]     touched(shard)        sorted set: RELATION:NUMBER of a row by the number of the call that wrote it last
-- KEYS[i+1]   row(relation, item)
-- ARGV[1], ARGV[2]  first and last byte of the revision in a packed row (rows.REVISION_SLICE)
-- ARGV[3]     most rows that touched keeps
-- ARGV[4i]    revision that was read, as its bytes; '' when there was no row
-- ARGV[4i+1]  the new packed row
-- ARGV[4i+2]  seconds that it is kept; 0 for as long as there is room
-- ARGV[4i+3]  the row's name in touched
-- Returns the indices i that were not written, because another writer was faster.
--
-- Why atomic: compare and set. Two writers that patch one row from the same reading would lose the first one's counts.
-- A retry of a call whose answer was lost reports conflicts for its own rows; the caller reads and patches again, and
-- finds nothing left to change.
-- A row without candidates is written all the same and kept for a while: were it deleted, a slow writer that had read
-- "no row" before could not tell that anything has happened since.
-- What was written is told in touched, in the same step, so that a server that holds rows in memory finds those that
-- are new in one read a shard (store/serving.py).
local call = redis.call
local touched, first, last = KEYS[1], ARGV[1], ARGV[2]
local conflicts, written = {}, {}
local newest = call('ZRANGE', touched, -1, -1, 'WITHSCORES')
local turn = string.format('%.0f', tonumber(newest[2] or 0) + 1)
for i = 1, #KEYS - 1 do
  local key, data, seconds = KEYS[i + 1], ARGV[4 * i + 1], ARGV[4 * i + 2]
  if call('GETRANGE', key, first, last) ~= ARGV[4 * i] then
    conflicts[#conflicts + 1] = i
  else
    if seconds == '0' then
      call('SET', key, data)
    else
      call('SET', key, data, 'EX', seconds)
    end
    written[#written + 1] = turn
    written[#written + 1] = ARGV[4 * i + 3]
  end
end
if #written > 0 then
  call('ZADD', touched, unpack(written))
  call('ZREMRANGEBYRANK', touched, 0, -tonumber(ARGV[3]) - 1)
end
return conflicts
