-- Takes one delivery for a worker. Included by claim and claim_quarantined, which define now, token,
-- worker, lease_ms and kept_runs, and move scores and counts themselves.
--
-- The token of a run that was settled goes to `settled`: a settle that is sent again after further
-- claims still learns that it was written. A run whose lease lapsed was not settled.

-- Drops the runs up to a number, but for the latest one that was written: it carries where every
-- handler stands, and 64 claims that died before they wrote anything must not forget a success.
local function forget_runs(key, up_to)
    local found, latest = {}, 0
    for _, name in ipairs(redis.call('HKEYS', key)) do
        local kind, number = string.match(name, '^(%a+):(%d+)$')
        number = tonumber(number)
        if number and (kind == 'run' or kind == 'crashed') then
            found[#found + 1] = { name, number }
            if kind == 'run' and number > latest then
                latest = number
            end
        end
    end
    for _, run in ipairs(found) do
        if run[2] <= up_to and run[1] ~= 'run:' .. latest then
            redis.call('HDEL', key, run[1])
        end
    end
end

-- gives {id, {field, value, …}} as after the claim, and the size of that in bytes
local function take(id, key, claims, runs, before, alone)
    local set = { 'state', 'running', 'claims', claims + 1, 'worker', worker, 'claimed', now,
        'runs', runs + 1, 'token', token }
    if claims > 0 then
        local had = redis.call('HMGET', key, 'lapsed', 'settled', 'woken')
        if before and not had[1] then
            local settled = had[2] and had[2] .. ' ' .. before or before
            local _, blanks = string.gsub(settled, ' ', ' ')
            if blanks >= kept_runs then
                settled = string.match(settled, ' (.*)')
            end
            set[#set + 1] = 'settled'
            set[#set + 1] = settled
        end
        redis.call('HDEL', key, 'lapsed', 'confirmed', 'replay', 'alone')
        if had[3] == 'again' then
            redis.call('HSET', key, 'woken', 'taken')
        end
        if claims >= kept_runs then
            forget_runs(key, claims + 1 - kept_runs)
        end
    end
    if alone then
        set[#set + 1] = 'alone'
        set[#set + 1] = 1
    end
    redis.call('HSET', key, unpack(set))
    redis.call('SET', 'arq:in-progress:' .. id, worker, 'PX', lease_ms)
    local fields, size = redis.call('HGETALL', key), 0
    for place = 2, #fields, 2 do
        size = size + #fields[place]
    end
    return { id, fields }, size
end
