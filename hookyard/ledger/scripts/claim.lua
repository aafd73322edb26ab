-- Gives a worker deliveries that are due, and the lease on them. Ends runs whose lease has lapsed.
--
-- A claim moves a delivery's score to the end of its lease: it is out of every other worker's way,
-- and falls due again by itself when its worker dies. The token is the fence: whatever its holder
-- writes later must name it. The claimer chooses it anew for each call, so that no discard, replay
-- or failover can bring about a second claim with the same one.
--
-- KEYS  queue, states, wake, failed, quarantine
-- ARGV  prefix, worker, token, lease ms, how many, version it can read, crashes that fail a delivery,
--       how many runs a record keeps, only this id ('' for any),
--       Redis time after which nobody waits for the answer any more (0: no such time),
--       1 where handlers stand in lines (see admit.lua)
-- gives {claimed, foreign ids, when the next falls due or -1, now, when the next falls due in the
--       quarantine or -1}
--       claimed is a list of {id, {field, value, …}} as after the claim;
--       foreign ids are in the queue without being deliveries (arq's cron jobs)
--
-- A run that is `running` although its score is due seems to have lost its worker. It may be Redis that was
-- away, for its holder as well: so the first look puts it off by a grace, in which a holder that lives
-- renews, and notes that in the score, which is no whole number then. The second look ends the run, unless
-- the holder comes back even later (see regain.lua). Where the delivery goes:
--       first lapse of a round, not confirmed   claimed here as if nothing had been
--       any other that did not run alone        into the quarantine, due at once
--       ran alone, not confirmed                back into the quarantine, due at once; nothing counted
--       ran alone, confirmed                    a crash: back into the quarantine after a wait, or `failed`
-- `confirmed` is set by the first renewal or checkpoint after a claim: who never confirmed started nothing.

local queue, states, wake, failed, quarantine = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local prefix, worker, token, lease_ms, limit = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5])
local version, max_crashes, kept_runs = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
local only, until_ms, max_bytes = ARGV[9], tonumber(ARGV[10]), 8 * 1024 * 1024 -- per answer
local has_lines = ARGV[11] == '1'
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

-- A Redis that hung runs what piled up meanwhile, also for clients that have long given up.
if until_ms > 0 and now > until_ms then
    return { {}, {}, -1, now, -1 }
end

local function next_due(set)
    local first = redis.call('ZRANGE', set, 0, 0, 'WITHSCORES')[2]
    return first and math.floor(tonumber(first)) or -1
end

-- All there is to it for an idle worker.
if only == '' then
    local due = next_due(queue)
    if due < 0 or due > now then
        return { {}, {}, due, now, next_due(quarantine) }
    end
end

--@include take

--@include index

-- A first write that needs no memory: a full Redis lets those that follow it through.
redis.call('HDEL', states, '')

-- What concerns many deliveries is collected and written in one command for all.
local counts, leased, quarantined = {}, {}, {}
local function move(from, to)
    counts[from] = (counts[from] or 0) - 1
    counts[to] = (counts[to] or 0) + 1
end

local GRACE_MS = math.max(1000, math.floor(lease_ms / 10))
local LOOKED_AT = 0.5

-- Gives whether a lease that is over has been for the whole grace.
local function is_over(id)
    if tonumber(redis.call('ZSCORE', queue, id)) % 1 ~= 0 then
        return true
    end
    leased[#leased + 1] = now + GRACE_MS + LOOKED_AT
    leased[#leased + 1] = id
    return false
end

local WAITS_MS = { 30000, 300000 } -- after the first crash, after every further one

local function fail(id, key, text)
    -- a holder that comes back gets the delivery, and stock arq needs its job then
    redis.call('HSET', key, 'state', 'failed', 'finished', now, 'error', text,
        'job', redis.call('GET', 'arq:job:' .. id) or '')
    redis.call('ZREM', queue, id)
    redis.call('ZADD', failed, now, id)
    redis.call('DEL', 'arq:job:' .. id, 'arq:in-progress:' .. id, 'arq:retry:' .. id)
    move('running', 'failed')
    index_state(id, 'running', 'failed')
end

-- Ends a run whose lease has lapsed; gives whether the delivery may be claimed now.
local function lapse(id, key, claims, holder)
    local had = redis.call('HMGET', key, 'claimed', 'worker', 'confirmed', 'alone', 'lapses',
        'crashes', 'crashed_by', 'replay')
    local confirmed, replay = had[3], had[8]
    local crashes, lost_worker = tonumber(had[6]) or 0, had[2] or '?'
    local how, due = 'quarantined', now
    if had[4] then
        how = 'uncounted'
        if confirmed then
            how, crashes = 'counted', crashes + 1
            due = now + (WAITS_MS[crashes] or WAITS_MS[#WAITS_MS])
            redis.call('HSET', key, 'crashes', crashes,
                'crashed_by', had[7] and had[7] .. ' ' .. holder or holder)
        end
    elseif not confirmed and not had[5] then
        how = 'requeued'
        redis.call('HSET', key, 'lapses', 1)
    else
        redis.call('HSET', key, 'quarantined', now)
    end
    redis.call('HSET', key, 'lapsed', how .. ' ' .. holder,
        'crashed:' .. claims, (had[1] or 0) .. ' ' .. now .. ' ' .. lost_worker)
    if replay then
        -- an operator asked for a replay while it ran; `replay` stays for a holder that comes back
        redis.call('HSET', key, 'runs', 0, 'round_from', claims + 1)
        if replay == 'all' then
            redis.call('HSET', key, 'done_from', claims + 1)
        end
        redis.call('HDEL', key, 'crashes', 'crashed_by', 'lapses', 'error')
        due = now
    elseif how == 'counted' and crashes >= max_crashes then
        fail(id, key, 'its worker crashed ' .. crashes .. ' times while running it alone (last: '
            .. lost_worker .. ')')
        return false
    end
    if how == 'requeued' then
        return true
    end
    redis.call('HSET', key, 'state', 'queued')
    redis.call('DEL', 'arq:in-progress:' .. id)
    redis.call('ZREM', queue, id)
    quarantined[#quarantined + 1] = due
    quarantined[#quarantined + 1] = id
    move('running', 'queued')
    return false
end

-- A member of the queue that is no delivery. arq's cron jobs have a job and a name in ASCII; anything
-- else could not be run by arq either, and would stand in the way for ever.
local foreign = {}
local function pass_on(id)
    if string.find(id, '[^\32-\126]') or redis.call('EXISTS', 'arq:job:' .. id) == 0 and only == '' then
        redis.call('ZREM', queue, id)
    elseif redis.call('EXISTS', 'arq:in-progress:' .. id) == 1 and only == '' then
        redis.call('ZADD', queue, 'XX', now + lease_ms, id)
    else
        foreign[#foreign + 1] = id
    end
end

local ids
if only == '' then
    ids = redis.call('ZRANGEBYSCORE', queue, '-inf', now, 'LIMIT', 0, limit)
else
    ids = { only }
end

local claimed, bytes = {}, 0
for _, id in ipairs(ids) do
    if bytes > max_bytes or #claimed >= limit then
        break
    end
    local key = prefix .. id
    local had = redis.call('HMGET', key, 'state', 'claims', 'v', 'runs', 'token')
    local state, claims = had[1], tonumber(had[2]) or 0

    if not state then
        pass_on(id)
    elseif (tonumber(had[3]) or 1) > version then
        -- written by a newer version: left for a newer worker
        redis.call('ZADD', queue, 'XX', now + lease_ms, id)
    elseif state == 'succeeded' or state == 'ignored' or state == 'failed' then
        redis.call('ZREM', queue, id)
    elseif only ~= '' and (tonumber(redis.call('ZSCORE', queue, id) or 'inf') > now) then
        -- asked for by id, but it is not due by Redis's clock, another worker's, or in the quarantine
    elseif state ~= 'running' or is_over(id) and lapse(id, key, claims, had[5]) then
        -- a lapse may have begun a new round
        local runs = state == 'running' and redis.call('HGET', key, 'runs') or had[4]
        local record, size = take(id, key, claims, tonumber(runs) or 0, had[5], false)
        bytes = bytes + size
        leased[#leased + 1] = now + lease_ms
        leased[#leased + 1] = id
        move(state, 'running')
        index_state(id, state, 'running')
        claimed[#claimed + 1] = record
        if has_lines then
            redis.call('ZADD', root .. 'opening', redis.call('ZSCORE', root .. 'received', id) or now, id)
        end
    end
end

if #leased > 0 then
    redis.call('ZADD', queue, unpack(leased))
end
if #quarantined > 0 then
    redis.call('ZADD', quarantine, unpack(quarantined))
end
for state, count in pairs(counts) do
    if count ~= 0 then
        redis.call('HINCRBY', states, state, count)
    end
end

write_indexes(now)

local due = next_due(queue)
if (due >= 0 and due <= now or #quarantined > 0) and redis.call('LLEN', wake) == 0 then
    redis.call('LPUSH', wake, 1)
end
return { claimed, foreign, due, now, next_due(quarantine) }
