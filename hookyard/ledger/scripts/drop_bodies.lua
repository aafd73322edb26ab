-- Drops the bodies of finished deliveries, oldest first, to make room; their records stay to be read.
--
-- KEYS  done or failed, dropped
-- ARGV  prefix, field of `dropped` for this set, how many to look at
-- gives how many were looked at; 0 when no finished delivery has a body any more
--
-- `dropped` holds up to which time of finishing the bodies are gone, so that nothing is looked at twice.
-- All that finished in the same millisecond goes together. The first write frees memory.

local set, dropped = KEYS[1], KEYS[2]
local prefix, field, batch = ARGV[1], ARGV[2], tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

redis.call('HDEL', dropped, '')
local after = redis.call('HGET', dropped, field) or '-inf'
local found = redis.call('ZRANGEBYSCORE', set, '(' .. after, '+inf', 'WITHSCORES', 'LIMIT', 0, batch)
if #found == 0 then
    return 0
end
local last = found[#found]
local ids = redis.call('ZRANGEBYSCORE', set, '(' .. after, last)
for _, id in ipairs(ids) do
    local key = prefix .. id
    if redis.call('HDEL', key, 'body') == 1 then
        redis.call('HSET', key, 'dropped', now)
        -- without its body it cannot run again, not even for a holder that comes back
        if redis.call('HDEL', key, 'job') == 1 then
            redis.call('HDEL', key, 'token', 'lapsed', 'crashes', 'crashed_by')
        end
    end
end
redis.call('HSET', dropped, field, last)
return #ids
