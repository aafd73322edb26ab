-- Prolongs leases, and confirms claims. Also gives a holder back what had lapsed, as long as nobody
-- else claimed it.
--
-- KEYS  queue, states, failed, quarantine, wake
-- ARGV  prefix, lease ms; then per delivery: id, token
-- gives per delivery 1 (prolonged) or 0 (lost: another worker has it, or it is finished or gone)

local queue, states, failed, quarantine, wake = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local prefix, lease_ms = ARGV[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local answers, leased = {}, {}

--@include index
--@include regain

-- A first write that needs no memory: a full Redis lets those that follow it through.
redis.call('HDEL', states, '')

for i = 3, #ARGV, 2 do
    local id, token = ARGV[i], ARGV[i + 1]
    local key = prefix .. id
    local had = redis.call('HMGET', key, 'state', 'token', 'confirmed')
    local holds = had[1] == 'running' and had[2] == token
    if holds then
        leased[#leased + 1] = now + lease_ms
        leased[#leased + 1] = id
        redis.call('SET', 'arq:in-progress:' .. id, 1, 'PX', lease_ms)
        if not had[3] then
            redis.call('HSET', key, 'confirmed', 1)
        end
    end
    answers[#answers + 1] = (holds or regain(id, key, token)) and 1 or 0
end

if #leased > 0 then
    redis.call('ZADD', queue, 'XX', unpack(leased))
end
write_indexes(now)
return answers
