-- Posts webhooks as GitLab does: real-shaped bodies in turn, a fresh delivery id each.
-- args: file of payloads (event name, tab, body), secret token, a part of the ids that no other run has,
-- and "close" for a new connection each, as GitLab opens them

local before, after, count, sent, run = {}, {}, 0, 0, ""

function init(args)
    local secret = args[2]
    run = args[3]
    local close = args[4] == "close" and "\r\nConnection: close" or ""
    for line in io.lines(args[1]) do
        local event, body = line:match("^([^\t]*)\t(.*)$")
        count = count + 1
        before[count] = "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            .. "User-Agent: GitLab/18.9.0\r\nX-Gitlab-Event: " .. event .. "\r\nX-Gitlab-Token: " .. secret
            .. "\r\nX-Gitlab-Instance: https://gitlab.example.test"
            .. "\r\nX-Gitlab-Webhook-UUID: 7f1e3c52-5d5e-4d0a-9b4b-1f0d7ad0c0de"
            .. "\r\nX-Gitlab-Event-UUID: 5b1d2f9e-40e5-4a0e-8c3a-6f2b9f4d7a11\r\nwebhook-timestamp: 1790000000"
            .. close .. "\r\nContent-Length: " .. #body .. "\r\nwebhook-id: "
        after[count] = "\r\n\r\n" .. body
    end
end

function request()
    sent = sent + 1
    local i = sent % count + 1
    return before[i] .. run .. string.format("-0000-4000-8000-%012x", sent) .. after[i]
end

function done(summary, latency, _)
    local e = summary.errors
    io.write(string.format(
        'BENCH {"answered": %d, "seconds": %.6f, "refused": %d, "broken": %d, "p50_ms": %.3f, "p99_ms": %.3f}\n',
        summary.requests, summary.duration / 1e6, e.status, e.connect + e.read + e.write + e.timeout,
        latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
