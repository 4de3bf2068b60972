-- A distinct alert body for every request, round-robin over 4 sources and 8 instruments.
-- Arguments: a start number, then the webhook paths.
local paths, start = {}, 0
local count = 0
local bases = {"BTC", "ETH", "SOL", "XRP", "ADA", "DOGE", "LTC", "LINK"}

function init(args)
  start = tonumber(args[1])
  for i = 2, #args do paths[#paths + 1] = args[i] end
end

local form = '{"ticker":"%sUSDT","exchange":"BINANCE","action":"buy","contracts":"0.%06d","price":"27123.45",'
  .. '"market_position":"long","market_position_size":"2.5","prev_market_position":"flat",'
  .. '"prev_market_position_size":"0","order_id":"entry %d","interval":"5","timenow":"%s"}'

function request()
  count = count + 1
  local n = start + count
  local now = os.date("!%Y-%m-%dT%H:%M:%SZ")
  local body = string.format(form, bases[count % #bases + 1], n % 999999 + 1, n, now)
  return wrk.format("POST", paths[math.floor(count / #bases) % #paths + 1], {["Content-Type"] = "application/json"}, body)
end

function done(summary, latency, requests)
  io.write(string.format('RESULT {"requests":%d,"seconds":%f,"p50_ms":%f,"p99_ms":%f,"non2xx":%d,"socket_errors":%d}\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    summary.errors.status, summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout))
end
