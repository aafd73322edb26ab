-- Prolongs leases. Also takes one back that had lapsed, as long as nobody else claimed the delivery.
--
-- KEYS  queue
-- ARGV  prefix, lease ms; then per delivery: id, claim
-- gives per delivery 1 (prolonged) or 0 (lost: another worker has it, or it is gone)
--
-- Who is told "lost" is alive, so the crash that the other worker's claim counted was none.

local queue, prefix, lease_ms = KEYS[1], ARGV[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local answers = {}

for i = 3, #ARGV, 2 do
    local id, claim = ARGV[i], ARGV[i + 1]
    local key = prefix .. id
    local had = redis.call('HMGET', key, 'state', 'claims', 'crashes')
    if had[1] == 'running' and had[2] == claim then
        redis.call('ZADD', queue, 'XX', now + lease_ms, id)
        redis.call('SET', 'arq:in-progress:' .. id, 1, 'PX', lease_ms)
        answers[#answers + 1] = 1
    else
        if had[1] == 'running' and (tonumber(had[3]) or 0) > 0 then
            redis.call('HINCRBY', key, 'crashes', -1)
        end
        answers[#answers + 1] = 0
    end
end
return answers
