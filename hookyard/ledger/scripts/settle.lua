-- Ends runs: writes each run's outcome and its delivery's next state in one step.
--
-- KEYS  queue, failed, states, wake, done, quarantine
-- ARGV  prefix, lease ms; then per delivery:
--       id, token, state it goes to, delay ms, error or '', run or '', and '' or a packed list of: lines it has
--       left, alarms, deliveries that it made (see lines.lua and follow.lua)
--       `succeeded` `ignored` `failed`  final
--       `retrying` `waiting`            due again after delay ms
--       `queued`                        released: due at once, and the run is not counted; what was in the
--                                       quarantine goes back there
-- gives per delivery 1 (this holder's outcome is in the record) or 0 (it is not: the lease was lost)
--
-- A worker that got no answer settles again, if need be after others have claimed the delivery: the
-- tokens of runs that were settled tell. A settled run clears what was held against the delivery.

local queue, failed, states, wake, done, quarantine = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local prefix, lease_ms = ARGV[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local answers, moved, ended = {}, {}, 0
-- what concerns many deliveries is collected and written in one command for all
local again, apart, over, gone, leaving = {}, {}, {}, {}, {}
local finished = { [failed] = {}, [done] = {} }

--@include index
--@include regain
--@include lines
--@include follow

-- A first write that needs no memory: a full Redis lets those that follow it through.
redis.call('HDEL', states, '')

local function add(list, first, second)
    local at = #list
    list[at + 1], list[at + 2] = first, second
end

local function was_settled(key, token)
    local had = redis.call('HMGET', key, 'state', 'token', 'settled')
    return had[2] == token and had[1] ~= 'running'
        or string.find(' ' .. (had[3] or '') .. ' ', ' ' .. token .. ' ', 1, true) ~= nil
end

for i = 3, #ARGV, 7 do
    local id, token, to, delay = ARGV[i], ARGV[i + 1], ARGV[i + 2], tonumber(ARGV[i + 3])
    local error, run = ARGV[i + 4], ARGV[i + 5]
    local key = prefix .. id
    local had = redis.call('HMGET', key, 'state', 'token', 'claims', 'replay', 'error', 'runs',
        'confirmed', 'lapses', 'quarantined', 'prints', 'claimed', 'marked')
    local holds = had[1] == 'running' and had[2] == token
    if not holds and regain(id, key, token) then
        holds = true
        had = redis.call('HMGET', key, 'state', 'token', 'claims', 'replay', 'error', 'runs',
            'confirmed', 'lapses', 'quarantined', 'prints', 'claimed', 'marked')
    end
    if not holds then
        answers[#answers + 1] = was_settled(key, token) and 1 or 0
    else
        answers[#answers + 1] = 1
        local claims, replay, quarantined = tonumber(had[3]), had[4], had[9]
        local set, unset = {}, {}
        if run ~= '' then
            add(set, 'run:' .. claims, run)
        end
        if had[7] then
            unset[#unset + 1] = 'confirmed'
        end
        if had[8] then
            unset[#unset + 1] = 'lapses'
        end
        if replay then
            -- an operator asked for a replay while it was running
            to, delay, error = 'queued', 0, ''
            unset[#unset + 1] = 'replay'
            add(set, 'runs', 0)
            add(set, 'round_from', claims + 1)
            if replay == 'all' then
                add(set, 'done_from', claims + 1)
            end
        elseif to == 'queued' then
            add(set, 'runs', math.max(0, (tonumber(had[6]) or 1) - 1))
        end
        if had[12] or ARGV[i + 6] ~= '' then
            local also = unpacked(ARGV[i + 6])
            local marks = redis.call('HMGET', key, 'held', 'alarms', 'woken')
            keep_follow_ups(also[3])
            set_alarms(id, key, marks[2], also[2])
            if marks[1] or also[1] then
                leaving[#leaving + 1] = { id, key, marks[1], also[1] }
            end
            if marks[3] == 'again' and (to == 'waiting' or to == 'retrying') then
                delay = 0 -- what it waits for came while it ran
            else
                redis.call('HDEL', key, 'woken', 'marked')
            end
        end
        local back_to_quarantine = quarantined and to == 'queued' and not replay
        if quarantined then
            add(unset, 'crashes', 'crashed_by')
            unset[#unset + 1] = 'alone'
            if not back_to_quarantine then
                unset[#unset + 1] = 'quarantined'
            end
        end
        if error ~= '' then
            add(set, 'error', error)
        elseif had[5] then
            unset[#unset + 1] = 'error'
        end
        local received_ms = tonumber(redis.call('ZSCORE', root .. 'received', id)) or now
        local prints = run ~= '' and index_run(id, received_ms, run, claims, had[10], now)
        if prints and prints ~= '' then
            add(set, 'prints', prints)
        elseif prints and had[10] then
            unset[#unset + 1] = 'prints'
        end
        index_state(id, 'running', to, received_ms)
        tally_settled(to, claims, tonumber(had[11]) - received_ms, now)
        add(set, 'state', to)
        moved[to] = (moved[to] or 0) + 1
        gone[#gone + 1] = 'arq:in-progress:' .. id
        if back_to_quarantine then
            add(apart, now, id)
            over[#over + 1] = id
        elseif to == 'queued' or to == 'retrying' or to == 'waiting' then
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
end
if #apart > 0 then
    redis.call('ZADD', quarantine, unpack(apart))
end
for _, each in ipairs(leaving) do
    leave_lines(unpack(each)) -- when all that may be waiting there is in the queue again
end
write_indexes(now)
-- also for what falls due later: an idle worker may be sleeping past that time
if #again + #apart > 0 and redis.call('LLEN', wake) == 0 then
    redis.call('LPUSH', wake, 1)
end
return answers
