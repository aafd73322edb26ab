-- Writes down what a running try has come to so far, so that a handler that succeeded is not run
-- again even if its worker dies on the next one. Prolongs the lease as well.
--
-- KEYS  queue
-- ARGV  prefix, lease ms; then per delivery: id, claim, try
-- gives per delivery 1 (written) or 0 (the lease was lost; nothing is written)

local queue, prefix, lease_ms = KEYS[1], ARGV[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local answers = {}

for i = 3, #ARGV, 3 do
    local key, claim = prefix .. ARGV[i], ARGV[i + 1]
    local had = redis.call('HMGET', key, 'state', 'claims')
    if had[1] == 'running' and had[2] == claim then
        redis.call('HSET', key, 'run:' .. claim, ARGV[i + 2])
        redis.call('ZADD', queue, 'XX', now + lease_ms, ARGV[i])
        redis.call('PEXPIRE', 'arq:in-progress:' .. ARGV[i], lease_ms)
        answers[#answers + 1] = 1
    else
        answers[#answers + 1] = 0
    end
end
return answers
