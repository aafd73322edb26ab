-- Records what a run has come to so far, so that a handler that succeeded does not run again even if
-- its worker dies on the next one. Prolongs the lease and confirms the claim as well.
--
-- KEYS  queue, states, failed, quarantine, wake
-- ARGV  prefix, lease ms; then per delivery: id, token, run, and '' or a packed list of: lines it has left,
--       nothing, deliveries that it made (see lines.lua and follow.lua)
-- gives per delivery 1 (written) or 0 (the lease was lost; nothing is written)

local queue, states, failed, quarantine, wake = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local prefix, lease_ms = ARGV[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local answers = {}

--@include index
--@include regain
--@include lines
--@include follow

-- A first write that needs no memory: a full Redis lets those that follow it through.
redis.call('HDEL', states, '')

for i = 3, #ARGV, 4 do
    local id, token = ARGV[i], ARGV[i + 1]
    local key = prefix .. id
    local had = redis.call('HMGET', key, 'state', 'token', 'claims', 'held')
    if had[1] == 'running' and had[2] == token or regain(id, key, token) then
        redis.call('HSET', key, 'run:' .. had[3], ARGV[i + 2], 'confirmed', 1)
        redis.call('ZADD', queue, 'XX', now + lease_ms, id)
        redis.call('SET', 'arq:in-progress:' .. id, 1, 'PX', lease_ms)
        if had[4] or ARGV[i + 3] ~= '' then
            local also = unpacked(ARGV[i + 3])
            keep_follow_ups(also[3])
            leave_lines(id, key, had[4], also[1])
        end
        answers[#answers + 1] = 1
    else
        answers[#answers + 1] = 0
    end
end
write_indexes(now)
return answers
