-- put_rows: write serving rows of one shard, each only if its revision is the one that was read.
--
-- KEYS[i]     row(relation, item)
-- ARGV[1], ARGV[2]  first and last byte of the revision in a packed row (rows.REVISION_SLICE)
-- ARGV[3i]    revision that was read, as its bytes; '' when there was no row
-- ARGV[3i+1]  the new packed row
-- ARGV[3i+2]  seconds that it is kept; 0 for as long as there is room
-- Returns the indices i that were not written, because another writer was faster.
--
-- Why atomic: compare and set. Two writers that patch one row from the same reading would lose the first one's counts.
-- A retry of a call whose answer was lost reports conflicts for its own rows; the caller reads and patches again, and
-- finds nothing left to change.
-- A row without candidates is written all the same and kept for a while: were it deleted, a slow writer that had read
-- "no row" before could not tell that anything has happened since.
local call = redis.call
local first, last = ARGV[1], ARGV[2]
local conflicts = {}
for i, key in ipairs(KEYS) do
  local data, seconds = ARGV[3 * i + 1], ARGV[3 * i + 2]
  if call('GETRANGE', key, first, last) ~= ARGV[3 * i] then
    conflicts[#conflicts + 1] = i
  elseif seconds == '0' then
    call('SET', key, data)
  else
    call('SET', key, data, 'EX', seconds)
  end
end
return conflicts
