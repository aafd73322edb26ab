-- Keeps new deliveries: all of one call, or none where Redis refuses to write (out of memory,
-- read-only, too few replicas: Redis decides that before a script's first write).
--
-- KEYS  queue, received, states, wake
-- ARGV  prefix of delivery keys; then per delivery: id, received ms, meta, body, arq job
-- gives per delivery 1 (kept now) or 0 (was there already; nothing is changed)
--
-- The job key has no expiry: arq's own 24 h would lose what an outage of a day left waiting, and a
-- key that may expire may also be evicted.

local queue, received, states, wake = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local prefix = ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local kept, answers = 0, {}

for i = 2, #ARGV, 5 do
    local id, received_ms = ARGV[i], tonumber(ARGV[i + 1])
    local key = prefix .. id
    if redis.call('EXISTS', key) == 1 then
        answers[#answers + 1] = 0
    else
        redis.call('HSET', key, 'meta', ARGV[i + 2], 'body', ARGV[i + 3], 'state', 'queued')
        redis.call('SET', 'arq:job:' .. id, ARGV[i + 4])
        -- an ingress whose clock is ahead must not defer what it accepts
        redis.call('ZADD', queue, math.min(received_ms, now), id)
        redis.call('ZADD', received, received_ms, id)
        kept = kept + 1
        answers[#answers + 1] = 1
    end
end

if kept > 0 then
    redis.call('HINCRBY', states, 'queued', kept)
    -- one token is enough: who takes it claims all it can, and passes it on when more is due
    if redis.call('LLEN', wake) == 0 then
        redis.call('LPUSH', wake, 1)
    end
end
return answers
