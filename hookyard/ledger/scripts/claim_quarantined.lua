-- Gives a worker one delivery that is due from the quarantine, to be run alone, and the lease on it.
--
-- KEYS  queue, states, wake, quarantine
-- ARGV  prefix, worker, token, lease ms, version it can read, how many runs a record keeps,
--       Redis time after which nobody waits for the answer any more (0: no such time)
-- gives the same as claim.lua; foreign ids are none
--
-- It leaves the quarantine for the queue, where all that runs has the end of its lease for a score.

local queue, states, wake, quarantine = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local prefix, worker, token, lease_ms = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local version, kept_runs, until_ms = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local most_looked_at = 8
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function next_due(set)
    local first = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')[2]
    return first and math.floor(tonumber(first)) or -1
end

if until_ms > 0 and now > until_ms then
    return { {}, {}, -1, now, -1 }
end

--@include take

-- A first write that needs no memory: a full Redis lets those that follow it through.
redis.call('HDEL', states, '')

local claimed = {}
for _ = 1, most_looked_at do
    local id = redis.call('ZRANGEBYSCORE', quarantine, '-inf', now, 'LIMIT', 0, 1)[1]
    if not id then
        break
    end
    local key = prefix .. id
    local had = redis.call('HMGET', key, 'state', 'claims', 'v', 'runs', 'token')
    if had[1] ~= 'queued' then
        redis.call('ZREM', quarantine, id)
    elseif (tonumber(had[3]) or 1) > version then
        redis.call('ZADD', quarantine, 'XX', now + lease_ms, id)
    else
        claimed[1] = take(id, key, tonumber(had[2]) or 0, tonumber(had[4]) or 0, had[5], true)
        redis.call('ZREM', quarantine, id)
        redis.call('ZADD', queue, now + lease_ms, id)
        redis.call('HINCRBY', states, 'queued', -1)
        redis.call('HINCRBY', states, 'running', 1)
        break
    end
end

local due = next_due(quarantine)
if #claimed > 0 and due >= 0 and due <= now and redis.call('LLEN', wake) == 0 then
    redis.call('LPUSH', wake, 1)
end
return { claimed, {}, next_due(queue), now, due }
