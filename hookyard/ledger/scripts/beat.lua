-- A worker's heartbeat; forgets the workers that have been silent for too long.
--
-- KEYS  workers
-- ARGV  worker, ms after which a silent worker counts as gone
-- gives Redis's time, ms
--
-- Removing comes first, since that needs no memory: a full Redis then lets the rest through.

local workers, worker, gone_after_ms = KEYS[1], ARGV[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZREMRANGEBYSCORE', workers, '-inf', now - gone_after_ms)
redis.call('ZADD', workers, now, worker)
redis.call('PEXPIRE', workers, gone_after_ms) -- the key goes with the last worker
return now
