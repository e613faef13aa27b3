-- counts_at: hashes of counts as they were at the end of a day: what stands now without the differences since.
--
-- KEYS[i]  for each hash the hash of counts, then its hash of each day since
-- ARGV[1]  number of day hashes for each hash of counts
-- Returns for each hash [member, n, member, n, ...], as text, zeros left out.
--
-- Why atomic: a difference is added to the counts and to its day in one step, so both must be read in one.
-- Writes nothing: a retry reads again.
local call = redis.call
local days = tonumber(ARGV[1])
local out = {}
for at = 1, #KEYS, days + 1 do
  local now = call('HGETALL', KEYS[at])
  local since, any = {}, false
  for day = at + 1, at + days do
    local dated = call('HGETALL', KEYS[day])
    for j = 1, #dated, 2 do
      since[dated[j]] = (since[dated[j]] or 0) + tonumber(dated[j + 1])
      any = true
    end
  end
  if any then
    local then_ = {}
    for j = 1, #now, 2 do
      local member = now[j]
      local n = tonumber(now[j + 1]) - (since[member] or 0)
      since[member] = nil
      if n ~= 0 then
        then_[#then_ + 1] = member
        then_[#then_ + 1] = string.format('%.0f', n)
      end
    end
    for member, n in pairs(since) do -- gone since
      if n ~= 0 then
        then_[#then_ + 1] = member
        then_[#then_ + 1] = string.format('%.0f', -n)
      end
    end
    now = then_
  end
  out[#out + 1] = now
end
return out
