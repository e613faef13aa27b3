-- fill: put a part of a large hash of counts beside it, as its successor (rewrite.lua).
--
-- KEYS[1]  successor(shard)
-- ARGV[1]  MessagePack: [member, n, member, n, ...], all as text; at most 2,000 counts
-- ARGV[2]  '1': the first part, what is there goes
-- ARGV[3]  seconds after which it goes by itself
--
-- Returns 1.
--
-- Why atomic: it need not be, for nobody reads a successor. It is a script because a client packs the words of a plain
-- HSET one by one, which costs it more than all the rest of a row.
-- A retry of a part changes nothing; but one run at a time may fill, as the nightly job's lock sees to.
local call = redis.call
local words = cmsgpack.unpack(ARGV[1])
if ARGV[2] == '1' then
  call('UNLINK', KEYS[1])
end
call('HSET', KEYS[1], unpack(words))
call('EXPIRE', KEYS[1], ARGV[3])
return 1
