-- Keeps new deliveries: all of one call, or none where Redis refuses to write (out of memory,
-- read-only, too few replicas: Redis decides that before a script's first write).
--
-- KEYS  queue, received, states, wake
-- ARGV  prefix of delivery keys; then per delivery (some hundreds at most, Lua's `unpack` has a limit): id, received ms, meta, body, arq job
-- gives per delivery 1 (kept now) or 0 (was there already; nothing is changed)
--
-- The job key has no expiry: arq's own 24 h would lose what an outage of a day left waiting, and a
-- key that may expire may also be evicted.

local queue, received, states, wake = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local prefix = ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local answers, jobs, due, came = {}, {}, {}, {}

--@include index
--@include lines

local has_alarms = redis.call('EXISTS', root .. 'alarms') == 1

for i = 2, #ARGV, 5 do
    local id, received_ms = ARGV[i], tonumber(ARGV[i + 1])
    local key = prefix .. id
    if redis.call('EXISTS', key) == 1 then
        answers[#answers + 1] = 0
    else
        redis.call('HSET', key, 'meta', ARGV[i + 2], 'body', ARGV[i + 3], 'state', 'queued')
        answers[#answers + 1] = 1
        local at = #jobs
        jobs[at + 1], jobs[at + 2] = 'arq:job:' .. id, ARGV[i + 4]
        -- an ingress whose clock is ahead must not defer what it accepts
        due[at + 1], due[at + 2] = math.min(received_ms, now), id
        came[at + 1], came[at + 2] = received_ms, id
        local facts = index_accepted(id, received_ms, ARGV[i + 2], now)
        if has_alarms and facts.project and facts.object then
            local source = facts.source and facts.source ~= 'default' and facts.source .. ':' or ''
            ring(source .. facts.project .. facts.object)
        end
    end
end

if #jobs > 0 then
    redis.call('MSET', unpack(jobs))
    redis.call('ZADD', queue, unpack(due))
    redis.call('ZADD', received, unpack(came))
    redis.call('HINCRBY', states, 'queued', #jobs / 2)
    write_indexes(now)
    -- one token is enough: who takes it claims all it can, and passes it on when more is due
    if redis.call('LLEN', wake) == 0 then
        redis.call('LPUSH', wake, 1)
    end
end
return answers
