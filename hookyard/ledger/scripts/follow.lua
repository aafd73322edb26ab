-- Keeps the deliveries that a handler made, in the step that records its success. Included by checkpoint and
-- settle, which define queue, states, wake, prefix and now, after index.
--
-- They are a list of {id, received ms, meta, body, arq job, when it falls due}. One whose id is known is there
-- already: it is to be done once only.

local function keep_follow_ups(made)
    for _, each in ipairs(made or {}) do
        local id, received_ms, meta = each[1], each[2], each[3]
        local key = prefix .. id
        if redis.call('EXISTS', key) == 0 then
            redis.call('HSET', key, 'meta', meta, 'body', each[4], 'state', 'queued')
            redis.call('SET', 'arq:job:' .. id, each[5])
            redis.call('ZADD', queue, each[6], id)
            redis.call('ZADD', root .. 'received', received_ms, id)
            redis.call('HINCRBY', states, 'queued', 1)
            index_accepted(id, received_ms, meta, now)
            if redis.call('LLEN', wake) == 0 then
                redis.call('LPUSH', wake, 1)
            end
        end
    end
end
