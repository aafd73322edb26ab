-- Gives a delivery back to a holder that lives although its lease lapsed. Included by renew,
-- checkpoint and settle, which define queue, states, failed, quarantine, wake, now and lease_ms.
--
-- claim.lua writes `lapsed` (how, and whose token) when it takes a delivery from a worker that seems
-- dead; a further claim deletes it. Until then the holder gets the delivery back, out of the quarantine
-- or from under `failed` as well. A crash that was counted against a holder is taken back once, whoever
-- has the delivery by now: `crashed_by` lists the tokens that count.

-- gives whether the delivery is this holder's again: `running`, with a whole lease
local function regain(id, key, token)
    local had = redis.call('HMGET', key, 'state', 'lapsed', 'crashed_by', 'claims', 'job')
    local state, lapsed, job = had[1], had[2], had[5]
    if not state then
        return false
    end

    local counted, others = false, {}
    for one in string.gmatch(had[3] or '', '%S+') do
        if one == token then
            counted = true
        else
            others[#others + 1] = one
        end
    end
    if counted and #others > 0 then
        redis.call('HSET', key, 'crashes', #others, 'crashed_by', table.concat(others, ' '))
    elseif counted then
        redis.call('HDEL', key, 'crashes', 'crashed_by')
    end

    local how, holder = string.match(lapsed or '', '^(%a+) (.*)$')
    local is_mine = holder == token
    if not is_mine and not (counted and state == 'failed' and job) then
        return false
    end
    if state == 'failed' then
        -- the verdict counted a crash that was none
        redis.call('SET', 'arq:job:' .. id, job)
        redis.call('HDEL', key, 'job', 'finished', 'error')
        redis.call('ZREM', failed, id)
    end
    local to = is_mine and 'running' or 'queued'
    redis.call('HINCRBY', states, state, -1)
    index_state(id, state, to)
    redis.call('HINCRBY', states, to, 1)
    redis.call('HSET', key, 'state', to)
    if not is_mine then
        redis.call('ZADD', quarantine, now, id)
        if redis.call('LLEN', wake) == 0 then
            redis.call('LPUSH', wake, 1)
        end
        return false
    end
    redis.call('HSET', key, 'confirmed', 1)
    redis.call('HDEL', key, 'lapsed', 'crashed:' .. had[4])
    if how == 'quarantined' then
        redis.call('HDEL', key, 'quarantined')
    end
    redis.call('ZREM', quarantine, id)
    redis.call('ZADD', queue, now + lease_ms, id)
    redis.call('SET', 'arq:in-progress:' .. id, 1, 'PX', lease_ms)
    return true
end
