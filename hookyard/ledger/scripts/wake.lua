-- Passes the wake-up token on to another worker; there is one at most.
--
-- KEYS  wake
-- gives 1 when it was put there, 0 when one is there already

if redis.call('LLEN', KEYS[1]) == 0 then
    redis.call('LPUSH', KEYS[1], 1)
    return 1
end
return 0
