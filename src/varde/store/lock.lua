-- lock: one run of the nightly job at a time.
--
-- KEYS[1]  the lock: the token of the run that holds it
-- ARGV[1]  this run's token
-- ARGV[2]  'take', 'renew' or 'release'
-- ARGV[3]  ms that the lock is held for without being renewed
-- ARGV[4]  'take' only: a lock of another run that ends within so many ms is stale, and is taken over; 0 for none
-- Returns '' when the run holds the lock now (or has released it), else the token of the run that does, '-' for none.
--
-- Why atomic: between a look and a write another run could take it.
-- A retry ends in the same: a run may take what it holds, and what it has let go is another's or nobody's.
local call = redis.call
local key, token, what = KEYS[1], ARGV[1], ARGV[2]
local holder = call('GET', key)
if holder == token then
  if what == 'release' then
    call('DEL', key)
  else
    call('PEXPIRE', key, ARGV[3])
  end
  return ''
end
if what == 'take' and (not holder or call('PTTL', key) < tonumber(ARGV[4])) then
  call('SET', key, token, 'PX', ARGV[3])
  return ''
end
if what == 'release' then
  return ''
end
return holder or '-'
