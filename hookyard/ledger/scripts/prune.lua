-- Removes finished deliveries that are past keeping, oldest first, in a small batch.
--
-- KEYS  done or failed, received, states
-- ARGV  prefix, keep what finished within so many ms, keep at most so many, how many to remove
-- gives how many were removed; when that is the whole batch, there may be more
--
-- Age is by Redis's clock, which also wrote the time of finishing. Its first write frees memory, so it
-- works on a full Redis. UNLINK, since freeing a large body would hold Redis up.

local set, received, states = KEYS[1], KEYS[2], KEYS[3]
local prefix, keep_ms, keep_most, batch = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

--@include index

local ids = redis.call('ZRANGEBYSCORE', set, '-inf', '(' .. string.format('%.0f', now - keep_ms), 'LIMIT', 0, batch)
if #ids == 0 then
    local surplus = math.min(redis.call('ZCARD', set) - keep_most, batch)
    if surplus > 0 then
        ids = redis.call('ZRANGE', set, 0, surplus - 1)
    end
end
for _, id in ipairs(ids) do
    local state = redis.call('HGET', prefix .. id, 'state')
    if state then
        index_gone(id, prefix .. id, state)
    end
    redis.call('UNLINK', prefix .. id)
    redis.call('ZREM', set, id)
    redis.call('ZREM', received, id)
    if state then
        redis.call('HINCRBY', states, state, -1)
    end
end
write_indexes(now)
return #ids
