-- wrk: send the picture of the environment's PICTURE as a form, in the field FIELD.
local file = assert(io.open(os.getenv("PICTURE"), "rb"))
local picture = file:read("*a")
file:close()

wrk.method = "POST"
wrk.headers["Content-Type"] = "multipart/form-data; boundary=upload"
wrk.body = '--upload\r\nContent-Disposition: form-data; name="'
  .. os.getenv("FIELD")
  .. '"; filename="digit.png"\r\nContent-Type: image/png\r\n\r\n'
  .. picture
  .. "\r\n--upload--\r\n"

function done(summary, latency, requests)
  local errors = summary.errors
  io.write(string.format(
    '{"requests": %d, "duration_us": %d, "p50_us": %d, "p99_us": %d, "refused": %d, "broken": %d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    errors.status, errors.connect + errors.read + errors.write + errors.timeout
  ))
end
