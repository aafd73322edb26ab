-- Gives a worker deliveries that are due, and the lease on them.
--
-- A claim moves a delivery's score to the end of its lease: it is out of every other worker's way,
-- and falls due again by itself when its worker dies. `claims` is the fence: whatever its owner
-- writes later must name the number it got here.
--
-- KEYS  queue, states, wake, failed
-- ARGV  prefix, worker, lease ms, how many, version it can read, crashes that fail a delivery,
--       1 when it may take a delivery that is one crash short of that, only this id ('' for any),
--       Redis time after which nobody waits for the answer any more (0: no such time)
-- gives {claimed, foreign ids, when the next falls due or -1, now}
--       claimed is a list of {id, {field, value, …}} as after the claim;
--       foreign ids are in the queue without being deliveries (arq's cron jobs)

local queue, states, wake, failed = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local prefix, worker, lease_ms, limit = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local version, max_crashes = tonumber(ARGV[5]), tonumber(ARGV[6])
local may_take_quarantined, only, max_bytes = ARGV[7] == '1', ARGV[8], 8 * 1024 * 1024 -- per answer
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local until_ms = tonumber(ARGV[9])

-- A Redis that hung runs what piled up meanwhile, also for clients that have long given up.
if until_ms > 0 and now > until_ms then
    return { {}, {}, -1, now }
end

-- All there is to it for an idle worker.
if only == '' then
    local first = redis.call('ZRANGE', queue, 0, 0, 'WITHSCORES')[2]
    if not first or tonumber(first) > now then
        return { {}, {}, first and math.floor(tonumber(first)) or -1, now }
    end
end

-- What concerns many deliveries is collected and written in one command for all.
local counts, leased = {}, {}
local function move(from, to)
    counts[from] = (counts[from] or 0) - 1
    counts[to] = (counts[to] or 0) + 1
end

-- Suspects that this worker may not take stay where they are, so that it finds them as soon as it
-- may; so many more entries are looked at.
local quarantined_passed, most_passed = 0, 256
local ids
if only == '' then
    ids = redis.call('ZRANGEBYSCORE', queue, '-inf', now, 'LIMIT', 0,
        limit + (may_take_quarantined and 0 or most_passed))
else
    ids = { only }
end

local claimed, foreign, bytes = {}, {}, 0
for _, id in ipairs(ids) do
    local key = prefix .. id
    if bytes > max_bytes or #claimed >= limit then
        break
    end
    local had = redis.call('HMGET', key, 'state', 'claims', 'crashes', 'claimed', 'worker', 'v', 'runs')
    local state, claims, crashes = had[1], tonumber(had[2]) or 0, tonumber(had[3]) or 0
    local crashed = state == 'running'

    if not state then
        if redis.call('EXISTS', 'arq:in-progress:' .. id) == 1 then
            redis.call('ZADD', queue, 'XX', now + lease_ms, id)
        else
            foreign[#foreign + 1] = id
        end
    elseif (tonumber(had[6]) or 1) > version then
        -- written by a newer version: left for a newer worker
        redis.call('ZADD', queue, 'XX', now + lease_ms, id)
    elseif state == 'succeeded' or state == 'ignored' or state == 'failed' then
        redis.call('ZREM', queue, id)
    elseif crashed and crashes + 1 >= max_crashes then
        local text = 'its worker crashed ' .. (crashes + 1) .. ' times while running it (last: ' .. (had[5] or '?') .. ')'
        redis.call('HSET', key, 'state', 'failed', 'crashes', crashes + 1, 'finished', now, 'error', text,
            'crashed:' .. claims, (had[4] or 0) .. ' ' .. now .. ' ' .. (had[5] or '?'))
        redis.call('ZREM', queue, id)
        redis.call('ZADD', failed, now, id)
        redis.call('DEL', 'arq:job:' .. id, 'arq:in-progress:' .. id, 'arq:retry:' .. id)
        move('running', 'failed')
    elseif crashes + (crashed and 1 or 0) >= max_crashes - 1 and max_crashes > 1 and not may_take_quarantined and only == '' then
        -- a quarantined delivery: its next crash would fail it, so it must not share a worker with another one,
        -- and each crash is held against one of them only
        quarantined_passed = quarantined_passed + 1
    elseif only ~= '' and crashed and tonumber(redis.call('ZSCORE', queue, id) or 0) > now then
        -- asked for by id, but another worker's lease still holds
    else
        if crashed then
            crashes = crashes + 1
            redis.call('HSET', key, 'crashes', crashes,
                'crashed:' .. claims, (had[4] or 0) .. ' ' .. now .. ' ' .. (had[5] or '?'))
        end
        if crashes >= max_crashes - 1 and max_crashes > 1 then
            may_take_quarantined = false
        end
        redis.call('HSET', key, 'state', 'running', 'claims', claims + 1, 'worker', worker, 'claimed', now,
            'runs', (tonumber(had[7]) or 0) + 1)
        redis.call('SET', 'arq:in-progress:' .. id, worker, 'PX', lease_ms)
        local fields, at = redis.call('HGETALL', key), #leased
        for place = 2, #fields, 2 do
            bytes = bytes + #fields[place]
        end
        leased[at + 1], leased[at + 2] = now + lease_ms, id
        move(state, 'running')
        claimed[#claimed + 1] = { id, fields }
    end
end

if #leased > 0 then
    redis.call('ZADD', queue, unpack(leased))
end
for state, count in pairs(counts) do
    if count ~= 0 then
        redis.call('HINCRBY', states, state, count)
    end
end

-- What this worker must leave is no reason for it to look again: it will, when its own suspect ends.
local head = redis.call('ZRANGE', queue, quarantined_passed, quarantined_passed, 'WITHSCORES')
local due = head[2] and math.floor(tonumber(head[2])) or -1
if #head > 0 and due <= now and redis.call('LLEN', wake) == 0 then
    redis.call('LPUSH', wake, 1)
end
return { claimed, foreign, due, now }
