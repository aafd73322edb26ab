-- Says whether a run may start a handler whose policy limits that; the place it gets is its own until the
-- run records what the handler came to.
--
-- KEYS  queue, wake
-- ARGV  prefix, id, token, handler, line or '', how many at once (0: any number), 1 where only the newest is
--       to run, ms for which no newer one must have come, how many starts (0: any number) in how many ms,
--       loop or '', how many runs in it in how many ms
-- gives {what, when}
--       'go'
--       'wait'        until then; 'turn' the same, since others are before it, unless it is woken earlier
--       'soon'        one that came earlier has not said yet which lines it is for; ask again
--       'superseded'  a newer one with its key is there
--       'tripped'     it ran too often in this loop
--       'lost'        the run is not this holder's any more

local queue, wake = KEYS[1], KEYS[2]
local prefix, id, token, handler, line = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local most, is_latest, quiet_ms = tonumber(ARGV[6]), ARGV[7] == '1', tonumber(ARGV[8])
local starts, per_ms = tonumber(ARGV[9]), tonumber(ARGV[10])
local loop, runs, within_ms = ARGV[11], tonumber(ARGV[12]), tonumber(ARGV[13])
local TURN_MS = 30000
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

--@include index
--@include lines

-- A first write that needs no memory: a full Redis lets those that follow it through.
redis.call('HDEL', root .. 'tripped', '')

local key = prefix .. id
local had = redis.call('HMGET', key, 'state', 'token', 'held')
if had[1] ~= 'running' or had[2] ~= token then
    return { 'lost', 0 }
end
if loop ~= '' and redis.call('HEXISTS', root .. 'tripped', loop) == 1 then
    return { 'tripped', 0 }
end
local received_ms = tonumber(redis.call('ZSCORE', root .. 'received', id)) or now

-- Whether a delivery that stands in the line will come; one that is gone leaves it.
local function stands(other)
    local state = redis.call('HGET', prefix .. other, 'state')
    if state and state ~= 'succeeded' and state ~= 'ignored' and state ~= 'failed' then
        return true
    end
    redis.call('ZREM', root .. 'line:' .. line, other)
    return false
end

local holders, held = {}, 0
local function is_superseded()
    while true do
        local newest = redis.call('ZREVRANGE', root .. 'line:' .. line, 0, 0)[1]
        if newest == id or not newest then
            return false
        end
        if stands(newest) then
            return true
        end
    end
end

local function must_wait_its_turn()
    local others = redis.call('HGETALL', root .. 'holders:' .. line)
    for place = 1, #others, 2 do
        local other = redis.call('HMGET', prefix .. others[place], 'state', 'token')
        if others[place] ~= id then
            if other[1] == 'running' and other[2] == others[place + 1] then
                holders[others[place]] = true
                held = held + 1
            else
                redis.call('HDEL', root .. 'holders:' .. line, others[place])
            end
        end
    end
    if held >= most then
        return true
    end
    local before = 0
    for _, other in ipairs(redis.call('ZRANGE', root .. 'line:' .. line, 0, most + 99)) do
        if other == id then
            break
        end
        if not holders[other] and stands(other) then
            before = before + 1
        end
        if held + before >= most then
            return true
        end
    end
    return false
end

if line ~= '' then
    local earlier = redis.call('ZRANGEBYSCORE', root .. 'opening', '-inf', '(' .. received_ms, 'LIMIT', 0, 8)
    for _, other in ipairs(earlier) do
        if redis.call('HGET', prefix .. other, 'state') == 'running' then
            return { 'soon', 0 }
        end
        redis.call('ZREM', root .. 'opening', other)
    end
    redis.call('ZADD', root .. 'line:' .. line, 'NX', received_ms, id)
    redis.call('EXPIRE', root .. 'line:' .. line, LINE_S)
    if is_latest then
        if is_superseded() then
            return { 'superseded', 0 }
        end
        if now < received_ms + quiet_ms then
            return { 'wait', received_ms + quiet_ms }
        end
    end
    if most > 0 and must_wait_its_turn() then
        return { 'turn', now + TURN_MS }
    end
end

-- Starts are written down by when they were, or will be: who must wait has a place there.
if starts > 0 then
    local rate = root .. 'starts:' .. handler
    redis.call('ZREMRANGEBYSCORE', rate, '-inf', now - per_ms)
    local mine = tonumber(redis.call('ZSCORE', rate, id))
    local number = redis.call('ZCARD', rate)
    if mine and mine > now then
        return { 'wait', mine }
    elseif not mine and number >= starts then
        local before = redis.call('ZRANGE', rate, number - starts, number - starts, 'WITHSCORES')[2]
        mine = tonumber(before) + per_ms
        redis.call('ZADD', rate, mine, id)
        redis.call('PEXPIRE', rate, mine - now + 2 * per_ms)
        return { 'wait', mine }
    end
    redis.call('ZREM', rate, id)
    redis.call('ZADD', rate, now, id .. ' ' .. token)
    redis.call('PEXPIRE', rate, math.max(2 * per_ms, redis.call('PTTL', rate)))
end

if loop ~= '' then
    local counted = root .. 'loop:' .. loop
    redis.call('ZREMRANGEBYSCORE', counted, '-inf', now - within_ms)
    if redis.call('ZCARD', counted) >= runs then
        redis.call('HSET', root .. 'tripped', loop, now)
        return { 'tripped', 0 }
    end
    redis.call('ZADD', counted, now, id .. ' ' .. token)
    redis.call('PEXPIRE', counted, within_ms)
end

if line ~= '' and most > 0 then
    local lines = unpacked(had[3])
    lines[#lines + 1] = line
    redis.call('HSET', key, 'held', cmsgpack.pack(lines), 'marked', 1)
    redis.call('HSET', root .. 'holders:' .. line, id, token)
    redis.call('EXPIRE', root .. 'holders:' .. line, LINE_S)
    if held + 1 < most then
        call_next(line)
    end
end
return { 'go', 0 }
