-- Lines and alarms: what deliveries wait for beside the time. Included by scripts that define prefix, queue,
-- wake and now, after index.
--
--   line:<handler>\n<key>     sorted set: deliveries that a handler has to do for one key and that it is not
--                             done with, by the time of receipt
--   holders:<handler>\n<key>  hash: those that have a place there, with the token of the run; it counts while
--                             that run goes on
--   alarms                    sorted set, all with score 0: <key>\n<id>, deliveries that are due at once when
--                             one with that key arrives
--
-- A record that has `held`, `alarms` or `woken` is `marked`. Lines go by themselves a while after the last
-- delivery has joined, so what a delivery that is gone leaves there does not stay.

local LINE_S = 8 * 86400

-- Makes a delivery due at once; one that runs is due again as soon as its run has ended. Gives whether it is
-- one that can come.
local function poke(id)
    local key = prefix .. id
    local state = redis.call('HGET', key, 'state')
    if state == 'running' or state == 'waiting' or state == 'retrying' then
        redis.call('HSET', key, 'woken', 'again', 'marked', 1)
        if state ~= 'running' then
            redis.call('ZADD', queue, 'XX', now, id)
            if redis.call('LLEN', wake) == 0 then
                redis.call('LPUSH', wake, 1)
            end
        end
        return true
    end
    return state == 'queued'
end

-- Ends the waits for a key.
local function ring(key)
    local from, to = '[' .. key .. '\n', '[' .. key .. '\n\255'
    for _, member in ipairs(redis.call('ZRANGEBYLEX', root .. 'alarms', from, to, 'LIMIT', 0, 1000)) do
        redis.call('ZREM', root .. 'alarms', member)
        poke(string.sub(member, #key + 2))
    end
end

-- Keeps the keys that a delivery waits for; had: those it waited for before.
local function set_alarms(id, key, had, wanted)
    for _, each in ipairs(unpacked(had)) do
        redis.call('ZREM', root .. 'alarms', each .. '\n' .. id)
    end
    redis.call('HDEL', key, 'alarms')
    if wanted and #wanted > 0 then
        for _, each in ipairs(wanted) do
            redis.call('ZADD', root .. 'alarms', 0, each .. '\n' .. id)
        end
        redis.call('HSET', key, 'alarms', cmsgpack.pack(wanted), 'marked', 1)
    end
end

-- Has the first of those that wait in a line come.
local function call_next(line)
    local members = redis.call('ZRANGE', root .. 'line:' .. line, 0, 99)
    for _, id in ipairs(members) do
        if redis.call('HEXISTS', root .. 'holders:' .. line, id) == 0 then
            if poke(id) then
                return
            end
            redis.call('ZREM', root .. 'line:' .. line, id)
        end
    end
end

-- Gives back the places that a run had, and takes the delivery out of the lines it is done with.
local function leave_lines(id, key, held, left)
    local touched = {}
    for _, line in ipairs(unpacked(held)) do
        redis.call('HDEL', root .. 'holders:' .. line, id)
        touched[line] = true
    end
    for _, line in ipairs(left or {}) do
        redis.call('ZREM', root .. 'line:' .. line, id)
        touched[line] = true
    end
    redis.call('HDEL', key, 'held')
    for line in pairs(touched) do
        call_next(line)
    end
end
