-- Shortens what stock arq locks for good: its in-progress keys of deliveries that are due.
--
-- KEYS  queue
-- ARGV  prefix, lease ms, how many to look at
-- gives how many were shortened
--
-- Stock arq sets the key, for longer than any job may take, before it starts the function that claims
-- the delivery with a lease of ours. Killed in between, it would leave a key that keeps every stock
-- worker from the delivery. A lease is time enough for one that lives to get to its claim.

local queue, prefix, lease_ms = KEYS[1], ARGV[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local shortened = 0

for _, id in ipairs(redis.call('ZRANGEBYSCORE', queue, '-inf', now, 'LIMIT', 0, tonumber(ARGV[3]))) do
    if redis.call('PTTL', 'arq:in-progress:' .. id) > lease_ms and redis.call('EXISTS', prefix .. id) == 1 then
        redis.call('PEXPIRE', 'arq:in-progress:' .. id, lease_ms)
        shortened = shortened + 1
    end
end
return shortened
