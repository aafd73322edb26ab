-- Ends runs: writes each try's outcome and its delivery's next state in one step.
--
-- KEYS  queue, failed, states, wake, done
-- ARGV  prefix, how many runs a record keeps; then per delivery:
--       id, claim, state it goes to, delay ms, error or '', try or ''
--       `succeeded` `ignored` `failed`  final
--       `retrying`                      due again after delay ms
--       `queued`                        handed back: due at once, and the try is not counted
-- gives per delivery 1 (written) or 0 (the lease was lost; nothing is written)
--
-- A worker that got no answer settles again; what its first call wrote is then told as written.

local queue, failed, states, wake, done = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local prefix, kept_runs = ARGV[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local answers, moved, ended = {}, {}, 0
-- what concerns many deliveries is collected and written in one command for all
local again, over, gone = {}, {}, {}
local finished = { [failed] = {}, [done] = {} }

local function add(list, first, second)
    local at = #list
    list[at + 1], list[at + 2] = first, second
end

for i = 3, #ARGV, 6 do
    local id, claim, to, delay = ARGV[i], ARGV[i + 1], ARGV[i + 2], tonumber(ARGV[i + 3])
    local error, try = ARGV[i + 4], ARGV[i + 5]
    local key = prefix .. id
    local had = redis.call('HMGET', key, 'state', 'claims', 'replay', 'crashes', 'error', 'runs')
    if had[1] and had[1] ~= 'running' and had[2] == claim then
        answers[#answers + 1] = 1
    elseif had[1] ~= 'running' or had[2] ~= claim then
        answers[#answers + 1] = 0
    else
        answers[#answers + 1] = 1
        local set, unset = {}, {}
        if try ~= '' then
            add(set, 'run:' .. claim, try)
        end
        if tonumber(claim) > kept_runs then
            add(unset, 'run:' .. (claim - kept_runs), 'crashed:' .. (claim - kept_runs))
        end
        if had[4] then
            unset[#unset + 1] = 'crashes'
        end
        if had[3] then
            -- an operator asked for a replay while it was running
            to, delay, error = 'queued', 0, ''
            unset[#unset + 1] = 'replay'
            add(set, 'runs', 0)
            add(set, 'round_from', claim + 1)
            if had[3] == 'all' then
                add(set, 'done_from', claim + 1)
            end
        elseif to == 'queued' then
            add(set, 'runs', (tonumber(had[6]) or 1) - 1)
        end
        if error ~= '' then
            add(set, 'error', error)
        elseif had[5] then
            unset[#unset + 1] = 'error'
        end
        add(set, 'state', to)
        moved[to] = (moved[to] or 0) + 1
        gone[#gone + 1] = 'arq:in-progress:' .. id
        if to == 'queued' or to == 'retrying' then
            add(again, now + delay, id)
        else
            add(set, 'finished', now)
            over[#over + 1] = id
            add(gone, 'arq:job:' .. id, 'arq:retry:' .. id)
            add(finished[to == 'failed' and failed or done], now, id)
        end
        redis.call('HSET', key, unpack(set))
        if #unset > 0 then
            redis.call('HDEL', key, unpack(unset))
        end
        ended = ended + 1
    end
end

if ended > 0 then
    redis.call('DEL', unpack(gone))
    redis.call('HINCRBY', states, 'running', -ended)
    for state, count in pairs(moved) do
        redis.call('HINCRBY', states, state, count)
    end
end
if #over > 0 then
    redis.call('ZREM', queue, unpack(over))
end
for set, members in pairs(finished) do
    if #members > 0 then
        redis.call('ZADD', set, unpack(members))
    end
end
if #again > 0 then
    redis.call('ZADD', queue, unpack(again))
    -- also for what falls due later: an idle worker may be sleeping past that time
    if redis.call('LLEN', wake) == 0 then
        redis.call('LPUSH', wake, 1)
    end
end
return answers
