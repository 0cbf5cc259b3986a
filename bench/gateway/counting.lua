-- SPDX-License-Identifier: Apache-2.0
--
-- For wrk: each thread is a browser with one connection and the cookies that it gets. Every answer is looked at. Of
-- "count" the number must be one more than that of the answer before, of "read" the same, of "none" 0; of "shared", where
-- all browsers have the cookie that is given behind it, any number will do.

local threads = {}

function setup(thread)
    threads[#threads + 1] = thread
end

function init(arguments)
    mode, cookie, path, count, wrong, last = arguments[1], arguments[2], wrk.path, 0, 0, 0
    build()
end

function build()
    text = wrk.format("GET", path, cookie and cookie ~= "" and {["Cookie"] = cookie, ["Host"] = "localhost"} or nil)
end

function request()
    return text
end

local function is_right(number)
    if mode == "none" then return number == 0 end
    if mode == "shared" then return number > 0 end
    if mode == "read" then return number == 1 end
    return number == last + 1
end

function response(status, headers, body)
    local number = tonumber(body:match("^n=(%d+)\n$"))
    if status ~= 200 or not number or not is_right(number) then wrong = wrong + 1 end
    count, last = count + 1, number or last
    if mode == "shared" then return end
    for name, value in pairs(headers) do
        if name:lower() == "set-cookie" then
            cookie = value:match("^[^;]+")
            build()
        end
    end
end

function done(summary, latency)
    local counted, bad = 0, 0
    for _, thread in ipairs(threads) do
        counted, bad = counted + thread:get("count"), bad + thread:get("wrong")
    end
    local errors = summary.errors
    io.write(string.format('{"requests": %d, "seconds": %.6f, "wrong": %d, "p50": %.6f, "p99": %.6f}\n', counted,
        summary.duration / 1e6, bad + errors.connect + errors.read + errors.write + errors.timeout,
        latency:percentile(50) / 1e6, latency:percentile(99) / 1e6))
end
