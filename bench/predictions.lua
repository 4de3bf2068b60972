-- A distinct prediction for every request.
-- Arguments: a start number, the path, the token.
local path, token, start = "", "", 0
local count = 0
local pairs_ = {"BTC-USDT", "ETH-USDT", "SOL-USDT", "XRP-USDT"}

function init(args)
  start, path, token = tonumber(args[1]), args[2], args[3]
end

local form = '{"pair":"%s","model":{"name":"lstm","version":"1"},"probabilities":{"short":0.1,"neutral":0.2,"long":0.7},'
  .. '"horizon":3600,"observed_at":"%s","idempotency_key":"%d"}'

function request()
  count = count + 1
  local body = string.format(form, pairs_[count % #pairs_ + 1], os.date("!%Y-%m-%dT%H:%M:%SZ"), start + count)
  return wrk.format("POST", path, {["Content-Type"] = "application/json", ["Authorization"] = "Bearer " .. token}, body)
end

function done(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('{"requests":%d,"seconds":%f,"failed":%d}\n', summary.requests, summary.duration / 1e6,
    e.status + e.connect + e.read + e.write + e.timeout))
end
