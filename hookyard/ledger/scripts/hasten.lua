-- Makes due at once what falls due within a time, and is not running: for tests, which have no time to wait.
--
-- KEYS  queue, wake
-- ARGV  prefix, ms, how many at most
-- gives their ids

local queue, wake, prefix = KEYS[1], KEYS[2], ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local hastened = {}

for _, id in ipairs(redis.call('ZRANGEBYSCORE', queue, '(' .. now, now + ARGV[2], 'LIMIT', 0, tonumber(ARGV[3]))) do
    local state = redis.call('HGET', prefix .. id, 'state')
    if state and state ~= 'running' then
        redis.call('HSET', prefix .. id, 'woken', 'forward', 'marked', 1)
        redis.call('ZADD', queue, now, id)
        hastened[#hastened + 1] = id
    end
end
if #hastened > 0 and redis.call('LLEN', wake) == 0 then
    redis.call('LPUSH', wake, 1)
end
return hastened
