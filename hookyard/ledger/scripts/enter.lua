-- Has deliveries join the lines of their handlers, once it is known which these are.
--
-- KEYS  queue, wake
-- ARGV  prefix; then per delivery: id, packed list of {line, its key, whether only the newest is to run}
-- gives 1 for each
--
-- Also for a delivery without lines: until its worker has said so, those that came after it wait (see
-- `opening` in admit.lua).

local queue, wake, prefix = KEYS[1], KEYS[2], ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local answers = {}

--@include index
--@include lines

-- A first write that needs no memory: a full Redis lets those that follow it through.
redis.call('HDEL', root .. 'tripped', '')

for i = 2, #ARGV, 2 do
    local id = ARGV[i]
    redis.call('ZREM', root .. 'opening', id)
    for _, each in ipairs(unpacked(ARGV[i + 1])) do
        local line, key = root .. 'line:' .. each[1], each[2]
        local received_ms = redis.call('ZSCORE', root .. 'received', id) or now
        if redis.call('ZADD', line, 'NX', received_ms, id) == 1 then
            redis.call('EXPIRE', line, LINE_S)
            if each[3] then
                -- those that it supersedes need not wait any longer
                for _, other in ipairs(redis.call('ZRANGEBYSCORE', line, '-inf', '(' .. received_ms, 'LIMIT', 0, 100)) do
                    poke(other)
                end
            end
        end
        ring(key)
    end
    answers[#answers + 1] = 1
end
return answers
