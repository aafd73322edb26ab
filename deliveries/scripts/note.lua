-- Writes down what a running try has come to so far, so that a handler that succeeded is not run
-- again even if its worker dies on the next one.
--
-- KEYS  (none)
-- ARGV  prefix; then per delivery: id, claim, try
-- gives per delivery 1 (written) or 0 (the lease was lost; nothing is written)

local prefix, answers = ARGV[1], {}
for i = 2, #ARGV, 3 do
    local key, claim = prefix .. ARGV[i], ARGV[i + 1]
    local had = redis.call('HMGET', key, 'state', 'claims')
    if had[1] == 'running' and had[2] == claim then
        redis.call('HSET', key, 'try:' .. claim, ARGV[i + 2])
        answers[#answers + 1] = 1
    else
        answers[#answers + 1] = 0
    end
end
return answers
