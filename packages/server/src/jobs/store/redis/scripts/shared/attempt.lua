-- An attempt: a lease on a job, under a token that fences off whoever held it before.
local function openAttempt(job, worker, leaseMs)
  local token = nextNumber('token')
  local number = tonumber(job.n or 0) + 1
  clear(job, 'cause', 'msg', 'sig', 'held')
  move(job, 'running')
  set(job, 'st', 'running', 'n', number, 'tok', int(token), 'w', worker, 'dur', leaseMs,
    'sta', int(now), 'a' .. number, int(token) .. ' ' .. int(now) .. ' ' .. worker)
  call('ZADD', P .. 'leases', int(now + leaseMs), int(token))
  call('HSET', P .. 'tokens', int(token), job.id)
  return token
end

-- @param tell what its worker hears at once; nil when the worker itself ended it.
-- @param result what a success leaves.
local function closeAttempt(job, outcome, message, usage, tell, result)
  local token = job.tok
  if not token then return end
  call('ZREM', P .. 'leases', token)
  call('HDEL', P .. 'tokens', token)
  local fields = { 'e' .. job.n, int(now) .. ' ' .. outcome }
  if message then
    fields[3], fields[4] = 'm' .. job.n, message
  end
  if usage and usage ~= '' then
    fields[#fields + 1] = 'u' .. job.n
    fields[#fields + 1] = usage
  end
  if result then
    fields[#fields + 1] = 'res'
    fields[#fields + 1] = result
  end
  set(job, unpack(fields))
  if tell then news[#news + 1] = { job.w, tonumber(token), tell } end
  clear(job, 'tok', 'w', 'dur', 'sig')
  -- A place became free of a tenant at its limit.
  if limited[job.t] == nil then
    limited[job.t] = call('HEXISTS', P .. 'tenant:' .. job.t, 'maxRunning') == 1
  end
  if limited[job.t] then ring(job.q) end
end

-- The running job that a token is the lease of; nil when it is stale.
local function leased(token)
  local id = call('HGET', P .. 'tokens', token)
  return id and load(id)
end
