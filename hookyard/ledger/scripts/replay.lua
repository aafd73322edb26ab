-- Carries out an operator's order to run deliveries again; refused only where the body is gone.
--
-- KEYS  queue, failed, states, wake, done, quarantine
-- ARGV  prefix, 'all' or 'failed'; then per delivery: id, arq job
--       'all'     every handler runs again
--       'failed'  only handlers without a success run again
-- gives per delivery: 'queued' (runs again now), 'running' (runs again once this run has ended),
--       'dropped' (its body made room; nothing is changed), 'missing'
--
-- A new round of runs begins with the next claim. What waits already becomes due at once; what is in
-- the quarantine, or failed there, runs alone again.

local queue, failed, states, wake, done, quarantine = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local prefix, what = ARGV[1], ARGV[2]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local answers, queued = {}, false

--@include index

for i = 3, #ARGV, 2 do
    local id, job = ARGV[i], ARGV[i + 1]
    local key = prefix .. id
    local had = redis.call('HMGET', key, 'state', 'claims', 'replay', 'dropped', 'quarantined', 'lapsed')
    local state, claims, quarantined = had[1], tonumber(had[2]) or 0, had[5]
    local whole = (what == 'all' or had[3] == 'all') and 'all' or what
    if not state then
        answers[#answers + 1] = 'missing'
    elseif had[4] then
        answers[#answers + 1] = 'dropped'
    elseif state == 'running' then
        redis.call('HSET', key, 'replay', whole)
        answers[#answers + 1] = 'running'
    else
        redis.call('HSET', key, 'state', 'queued', 'runs', 0, 'round_from', claims + 1)
        if what == 'all' then
            redis.call('HSET', key, 'done_from', claims + 1)
        end
        if had[6] then
            -- should the holder that seemed dead come back, the replay follows its run
            redis.call('HSET', key, 'replay', whole)
        end
        redis.call('HDEL', key, 'error', 'crashes', 'crashed_by', 'lapses', 'finished', 'job')
        redis.call('SET', 'arq:job:' .. id, job)
        redis.call('ZADD', quarantined and quarantine or queue, now, id)
        redis.call('ZREM', failed, id)
        redis.call('ZREM', done, id)
        redis.call('HINCRBY', states, state, -1)
        index_state(id, state, 'queued')
        redis.call('HINCRBY', states, 'queued', 1)
        queued = true
        answers[#answers + 1] = 'queued'
    end
end

write_indexes(now)
if queued and redis.call('LLEN', wake) == 0 then
    redis.call('LPUSH', wake, 1)
end
return answers
