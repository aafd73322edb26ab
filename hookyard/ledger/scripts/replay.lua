-- Carries out an operator's order to run deliveries again; never refused for one that exists.
--
-- KEYS  queue, failed, states, wake, done
-- ARGV  prefix, 'all' or 'failed'; then per delivery: id, arq job
--       'all'     every handler runs again
--       'failed'  only handlers without a success run again
-- gives per delivery: 'queued' (runs again now), 'running' (runs again once this try has ended),
--       'missing'
--
-- A new round of runs begins with the next claim. What waits already becomes due at once.

local queue, failed, states, wake, done = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local prefix, what = ARGV[1], ARGV[2]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local answers, queued = {}, false

for i = 3, #ARGV, 2 do
    local id, job = ARGV[i], ARGV[i + 1]
    local key = prefix .. id
    local had = redis.call('HMGET', key, 'state', 'claims')
    local state, claims = had[1], tonumber(had[2]) or 0
    if not state then
        answers[#answers + 1] = 'missing'
    elseif state == 'running' then
        redis.call('HSET', key, 'replay', what)
        answers[#answers + 1] = 'running'
    else
        redis.call('HSET', key, 'state', 'queued', 'runs', 0, 'round_from', claims + 1)
        if what == 'all' then
            redis.call('HSET', key, 'done_from', claims + 1)
        end
        redis.call('HDEL', key, 'error', 'crashes', 'finished', 'replay')
        redis.call('SET', 'arq:job:' .. id, job)
        redis.call('ZADD', queue, now, id)
        redis.call('ZREM', failed, id)
        redis.call('ZREM', done, id)
        redis.call('HINCRBY', states, state, -1)
        redis.call('HINCRBY', states, 'queued', 1)
        queued = true
        answers[#answers + 1] = 'queued'
    end
end

if queued and redis.call('LLEN', wake) == 0 then
    redis.call('LPUSH', wake, 1)
end
return answers
