-- Requests that no memory has the answer of: random items, and customers nobody has seen. Counts what came back.
local threads = {}
function setup(thread)
  table.insert(threads, thread)
end
function init(args)
  math.randomseed(tonumber(args[1]))
  stale, bad = 0, 0
end
function request()
  if math.random() < 0.5 then
    return wrk.format('GET', '/v1/similar/i' .. math.random(0, 4999) .. '?exclude_item=x' .. math.random(0, 99999999))
  end
  return wrk.format('GET', '/v1/recommendations?uid=u' .. math.random(0, 99999999))
end
function response(status, headers, body)
  if status ~= 200 then
    bad = bad + 1
  elseif body:find('"stale":true', 1, true) then
    stale = stale + 1
  end
end
function done(summary, latency, requests)
  local bad, stale = 0, 0
  for _, thread in ipairs(threads) do
    bad, stale = bad + thread:get('bad'), stale + thread:get('stale')
  end
  local errors = summary.errors
  io.stderr:write(string.format(
    '{"requests":%d,"seconds":%f,"errors":%d,"bad":%d,"stale":%d,"p50":%f,"p99":%f,"max":%f}',
    summary.requests, summary.duration / 1e6, errors.connect + errors.read + errors.write + errors.timeout, bad, stale,
    latency:percentile(50) / 1e6, latency:percentile(99) / 1e6, latency.max / 1e6))
end
