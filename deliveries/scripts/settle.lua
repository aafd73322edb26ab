-- Ends tries: writes each try's outcome and its delivery's next state in one step.
--
-- KEYS  queue, failed, states, wake, done
-- ARGV  prefix, how many tries a record keeps; then per delivery:
--       id, claim, state it goes to, delay ms, error or '', try or ''
--       `succeeded` `ignored` `failed`  final
--       `retrying`                      due again after delay ms
--       `queued`                        handed back: due at once, and the try is not counted
-- gives per delivery 1 (written) or 0 (the lease was lost; nothing is written)
--
-- A worker that got no answer settles again; what its first call wrote is then told as written.

local queue, failed, states, wake, done = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local prefix, kept_tries = ARGV[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local answers, due_now, moved = {}, false, {}

for i = 3, #ARGV, 6 do
    local id, claim, to, delay = ARGV[i], ARGV[i + 1], ARGV[i + 2], tonumber(ARGV[i + 3])
    local key = prefix .. id
    local had = redis.call('HMGET', key, 'state', 'claims', 'replay')
    if had[1] and had[1] ~= 'running' and had[2] == claim then
        answers[#answers + 1] = 1
    elseif had[1] ~= 'running' or had[2] ~= claim then
        answers[#answers + 1] = 0
    else
        answers[#answers + 1] = 1
        if ARGV[i + 5] ~= '' then
            redis.call('HSET', key, 'try:' .. claim, ARGV[i + 5])
        end
        redis.call('HDEL', key, 'deaths', 'try:' .. (claim - kept_tries), 'died:' .. (claim - kept_tries))
        if ARGV[i + 4] == '' then
            redis.call('HDEL', key, 'error')
        else
            redis.call('HSET', key, 'error', ARGV[i + 4])
        end
        if to == 'queued' then
            redis.call('HINCRBY', key, 'tries', -1)
        end
        if had[3] then
            -- an operator asked for a replay while it was running
            to, delay = 'queued', 0
            redis.call('HDEL', key, 'replay', 'error')
            redis.call('HSET', key, 'tries', 0, 'round_from', claim + 1)
            if had[3] == 'all' then
                redis.call('HSET', key, 'done_from', claim + 1)
            end
        end
        redis.call('HSET', key, 'state', to)
        moved[to] = (moved[to] or 0) + 1
        if to == 'queued' or to == 'retrying' then
            redis.call('ZADD', queue, now + delay, id)
            redis.call('DEL', 'arq:in-progress:' .. id)
            due_now = true
        else
            redis.call('HSET', key, 'finished', now)
            redis.call('ZREM', queue, id)
            redis.call('DEL', 'arq:job:' .. id, 'arq:in-progress:' .. id, 'arq:retry:' .. id)
            redis.call('ZADD', to == 'failed' and failed or done, now, id)
        end
    end
end

for state, count in pairs(moved) do
    redis.call('HINCRBY', states, 'running', -count)
    redis.call('HINCRBY', states, state, count)
end
-- also for what falls due later: an idle worker may be sleeping past that time
if due_now and redis.call('LLEN', wake) == 0 then
    redis.call('LPUSH', wake, 1)
end
return answers
