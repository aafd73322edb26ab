-- Keeps the secondary indexes and the rates. Included by scripts that change states, which define prefix.
--
--   by:<facet>:<value>     sorted set: deliveries with that value, by the time of receipt
--   values:<facet>         sorted set: the values that a facet has, by when one was last met
--   cut                    hash: up to which score the oldest members of an index were dropped
--   failures, failure:<f>  the groups of failures by when each was last met, and what is known of one
--   credentials            hash: by source and credential, how many deliveries, and when the last one came
--   minutes:<hour>         hash: what happened in each minute of an hour; goes after a week
--   hours:<hour>           hash: how long handlers took in an hour, by handler, outcome and length; the same
--
-- Facets: event, project, object, source and origin where they are not the usual ones, state where it is not
-- the usual one, handler with its latest outcome, error (the fingerprint of a failure).
-- Every one of these is bounded. What an index no longer has, a reader finds in `received`.

local root = string.gsub(prefix, 'delivery:$', '')
local MOST, SLACK, MOST_VALUES, LONGEST = 10000, 100, 2000, 300
local WEEK_S, KEPT_FAILURES_S = 8 * 86400, 90 * 86400
local INDEXED = { ignored = true, failed = true, retrying = true, waiting = true }
local OUTCOMES = { 'succeeded', 'failed', 'timed out', 'crashed', 'waiting', 'superseded' }
local added, removed, met, tallies, has_failures = {}, {}, {}, {}, false

local function note(where, key, first, second)
    local list = where[key]
    if not list then
        list = {}
        where[key] = list
    end
    list[#list + 1] = first
    list[#list + 1] = second
end

local function add_to(facet, value, score, id)
    value = string.sub(value, 1, LONGEST)
    note(added, facet .. ':' .. value, score, id)
    return value
end

local function remove_from(facet, value, id)
    note(removed, facet .. ':' .. string.sub(value, 1, LONGEST), id)
end

local function meet(facet, value)
    met[facet] = met[facet] or {}
    met[facet][value] = true
end

local function tally(key, field, count)
    local fields = tallies[key]
    if not fields then
        fields = {}
        tallies[key] = fields
    end
    fields[field] = (fields[field] or 0) + count
end

local function unpacked(packed)
    local is_sound, value = pcall(cmsgpack.unpack, packed or '')
    return is_sound and type(value) == 'table' and value or {}
end

-- calls visit(facet, value) for each facet that never changes
local function each_fact(meta, visit)
    local facts = unpacked(meta)
    visit('event', facts.event or '')
    if facts.project then
        visit('project', facts.project)
        if facts.object then
            visit('object', facts.project .. facts.object)
        end
    end
    if facts.source and facts.source ~= 'default' then
        visit('source', facts.source)
    end
    if facts.origin and facts.origin ~= 'webhook' then
        visit('origin', facts.origin)
    end
    return facts
end

local function index_accepted(id, received_ms, meta, now)
    local facts = each_fact(meta, function(facet, value)
        value = add_to(facet, value, received_ms, id)
        if facet ~= 'object' then
            meet(facet, value)
        end
    end)
    if facts.authenticated_by then
        local credential = (facts.source or 'default') .. '\n' .. facts.authenticated_by
        tally('credentials', credential, 1)
        met.credentials = met.credentials or {}
        met.credentials[credential] = true
    end
    tally('minutes:' .. math.floor(now / 3600000), math.floor(now / 60000) % 60 .. ':accepted', 1)
    return facts
end

local function index_state(id, from, to, score)
    if from ~= to then
        if INDEXED[from] then
            remove_from('state', from, id)
        end
        if INDEXED[to] then
            add_to('state', to, score or redis.call('ZSCORE', root .. 'received', id) or 0, id)
        end
    end
end

-- gives where each handler stands after a run: {handler, outcome, fingerprint or nil} by name
local function standings(run)
    local found = {}
    for _, each in ipairs(run.carried or {}) do
        found[each.handler] = each
    end
    for _, each in ipairs(run.attempts or {}) do
        if each.outcome ~= 'interrupted' then
            found[each.handler] = each
        end
    end
    return found
end

local function meet_failure(attempt, id, now)
    local key = root .. 'failure:' .. attempt.fingerprint
    has_failures = true
    redis.call('HSETNX', key, 'first', now)
    redis.call('HSET', key, 'last', now, 'delivery', id, 'handler', attempt.handler,
        'outcome', attempt.outcome, 'error', string.sub(attempt.error or '', 1, 500))
    redis.call('HINCRBY', key, 'count', 1)
    redis.call('HINCRBY', key, 'day:' .. math.floor(now / 86400000), 1)
    redis.call('EXPIRE', key, KEPT_FAILURES_S)
    redis.call('ZADD', root .. 'failures', now, attempt.fingerprint)
end

-- two steps for each doubling of the time, so an estimate is off by a fifth at most
local function bucket(length_ms)
    return math.floor(math.log(math.max(0, length_ms) + 1) * 2.885390082)
end

-- gives the fingerprints under which the delivery now is, apart by blanks; had: those before
local function index_run(id, score, packed, claims, had, now)
    local run, prints, is_print = unpacked(packed), {}, {}
    local hours = 'hours:' .. math.floor(now / 3600000)
    for name, each in pairs(standings(run)) do
        local handler = string.sub(name, 1, LONGEST)
        add_to('handler', each.outcome .. ':' .. handler, score, id)
        if claims > 1 then
            for _, outcome in ipairs(OUTCOMES) do
                if outcome ~= each.outcome then
                    remove_from('handler', outcome .. ':' .. handler, id)
                end
            end
        end
        if each.fingerprint and not is_print[each.fingerprint] then
            is_print[each.fingerprint] = true
            prints[#prints + 1] = each.fingerprint
            add_to('error', each.fingerprint, score, id)
        end
    end
    for print in string.gmatch(had or '', '%S+') do
        if not is_print[print] then
            remove_from('error', print, id)
        end
    end
    for _, each in ipairs(run.attempts or {}) do
        tally(hours, bucket(each.took_ms or 0) .. '\n' .. each.outcome .. '\n' .. string.sub(each.handler, 1, LONGEST), 1)
        meet('handler', string.sub(each.handler, 1, LONGEST))
        if each.fingerprint then
            meet_failure(each, id, now)
        end
    end
    return table.concat(prints, ' ')
end

local function tally_settled(to, claims, picked_up_ms, now)
    tally('minutes:' .. math.floor(now / 3600000), math.floor(now / 60000) % 60 .. ':' .. to, 1)
    if claims == 1 then
        tally('hours:' .. math.floor(now / 3600000), bucket(picked_up_ms) .. '\npicked up\n', 1)
    end
end

local function latest_run(key, claims)
    local packed = redis.call('HGET', key, 'run:' .. claims)
    if packed then
        return packed
    end
    local latest = 0
    for _, name in ipairs(redis.call('HKEYS', key)) do
        latest = math.max(latest, tonumber(string.match(name, '^run:(%d+)$')) or 0)
    end
    return redis.call('HGET', key, 'run:' .. latest)
end

-- before the record goes
local function index_gone(id, key, state)
    local had = redis.call('HMGET', key, 'meta', 'claims', 'prints')
    each_fact(had[1], function(facet, value)
        remove_from(facet, value, id)
    end)
    index_state(id, state, nil)
    for print in string.gmatch(had[3] or '', '%S+') do
        remove_from('error', print, id)
    end
    if had[2] then
        for name in pairs(standings(unpacked(latest_run(key, had[2])))) do
            for _, outcome in ipairs(OUTCOMES) do
                remove_from('handler', outcome .. ':' .. string.sub(name, 1, LONGEST), id)
            end
        end
    end
end

local function forget_value(name)
    local facet, value = string.match(name, '^(%a+):(.*)$')
    if facet == 'handler' then
        value = string.match(value, '^[%a ]+:(.*)$')
        for _, outcome in ipairs(OUTCOMES) do
            if redis.call('EXISTS', root .. 'by:handler:' .. outcome .. ':' .. value) == 1 then
                return
            end
        end
    end
    redis.call('ZREM', root .. 'values:' .. facet, value)
    redis.call('HDEL', root .. 'cut', name)
end

local function drop_surplus(name, key)
    if redis.call('ZCARD', key) <= MOST + SLACK then
        return
    end
    local last = redis.call('ZRANGE', key, -MOST - 1, -MOST - 1, 'WITHSCORES')
    redis.call('HSET', root .. 'cut', name, last[2])
    redis.call('ZREMRANGEBYRANK', key, 0, -MOST - 1)
end

local function bound_failures(now)
    local key = root .. 'failures'
    local old = redis.call('ZRANGEBYSCORE', key, '-inf', now - KEPT_FAILURES_S * 1000, 'LIMIT', 0, 100)
    if #old == 0 and redis.call('ZCARD', key) > MOST_VALUES then
        old = redis.call('ZRANGE', key, 0, redis.call('ZCARD', key) - MOST_VALUES - 1)
    end
    for _, print in ipairs(old) do
        redis.call('ZREM', key, print)
        redis.call('DEL', root .. 'failure:' .. print)
    end
end

-- Writes all that was noted, one command for each index; removals come first, since they need no memory.
local function write_indexes(now)
    for name, ids in pairs(removed) do
        local key = root .. 'by:' .. name
        if redis.call('ZREM', key, unpack(ids)) > 0 and redis.call('EXISTS', key) == 0 then
            forget_value(name)
        end
    end
    for name, members in pairs(added) do
        local key = root .. 'by:' .. name
        redis.call('ZADD', key, unpack(members))
        drop_surplus(name, key)
    end
    for facet, values in pairs(met) do
        if facet == 'credentials' then
            for value in pairs(values) do
                redis.call('HSET', root .. 'credentials', value .. '\nlast', now)
            end
        else
            local key, members = root .. 'values:' .. facet, {}
            for value in pairs(values) do
                members[#members + 1] = now
                members[#members + 1] = value
            end
            redis.call('ZADD', key, unpack(members))
            if redis.call('ZCARD', key) > MOST_VALUES then
                redis.call('ZREMRANGEBYRANK', key, 0, -MOST_VALUES - 1)
            end
        end
    end
    for name, fields in pairs(tallies) do
        local key = root .. name
        for field, count in pairs(fields) do
            if redis.call('HINCRBY', key, field, count) == count and name ~= 'credentials' then
                redis.call('EXPIRE', key, WEEK_S)
            end
        end
    end
    if has_failures then
        bound_failures(now)
    end
end
