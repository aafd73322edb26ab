-- Removes deliveries and everything kept of them. A worker that is running one finds its lease lost.
--
-- KEYS  queue, received, failed, states, done, quarantine
-- ARGV  prefix; then ids
-- gives how many there were

local queue, received, failed, states, done, quarantine = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local prefix, found = ARGV[1], 0

--@include index

for i = 2, #ARGV do
    local id = ARGV[i]
    local key = prefix .. id
    local state = redis.call('HGET', key, 'state')
    redis.call('ZREM', received, id)
    redis.call('ZREM', failed, id)
    redis.call('ZREM', done, id)
    if state then
        index_gone(id, key, state)
        redis.call('ZREM', queue, id)
        redis.call('ZREM', quarantine, id)
        redis.call('UNLINK', key, 'arq:job:' .. id, 'arq:in-progress:' .. id, 'arq:retry:' .. id)
        redis.call('HINCRBY', states, state, -1)
        found = found + 1
    end
end
write_indexes(0)
return found
