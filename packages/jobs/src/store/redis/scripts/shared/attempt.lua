-- An attempt: a lease on a job, under a token that fences off every earlier holder.
local function openAttempt(job, worker, leaseMs)
  local token = int(nextNumber('token'))
  local number = int(tonumber(job.n or 0) + 1)
  job.cause, job.msg, job.sig, job.held = nil, nil, nil, nil
  move(job, 'running')
  job.n, job.tok, job.w, job.dur, job.sta = number, token, worker, int(leaseMs), moment
  job['a' .. number] = token .. ' ' .. moment .. ' ' .. worker
  setIndex(P .. 'leases', token, int(now + leaseMs))
  setField(P .. 'tokens', token, job.id)
  return token
end

-- @param notice the state that its worker is notified of; nil when the worker itself ended it.
local function closeAttempt(job, outcome, message, usage, notice)
  local token = job.tok
  if not token then return end
  setIndex(P .. 'leases', token, false)
  setField(P .. 'tokens', token, false)
  job['e' .. job.n], job['m' .. job.n] = moment .. ' ' .. outcome, message
  local counts = outcomes[job.q] or {}
  outcomes[job.q], counts[outcome] = counts, (counts[outcome] or 0) + 1
  if usage and usage ~= '' then job['u' .. job.n] = usage end
  if notice then
    notices[#notices + 1] = { job.w, tonumber(token), notice }
    -- For a worker that misses the notification and asks about its lease.
    if notice == 'cancel' then call('SET', P .. 'cancelled:' .. token, job.w, 'PX', CANCELLED_KEPT_MS) end
  end
  job.tok, job.w, job.dur, job.sig = nil, nil, nil, nil
  changed[job.id] = true
  -- A tenant at its limit has a free place.
  if limited[job.t] == nil then
    limited[job.t] = call('HEXISTS', P .. 'tenant:' .. job.t, 'maxRunning') == 1
  end
  if limited[job.t] then notifyQueue(job.q) end
end

-- Reads the jobs of many tokens at once, for `leased` to find.
local function preloadLeased(tokens)
  if #tokens == 0 then return end
  local ids = {}
  for index, id in ipairs(call('HMGET', P .. 'tokens', unpack(tokens))) do
    owners[tokens[index]] = id
    if id then ids[#ids + 1] = id end
  end
  preload(ids)
end

-- The running job that a token is the lease of; nil when it is stale.
local function leased(token)
  local id = owners[token]
  if id == nil then id = call('HGET', P .. 'tokens', token) end
  local job = id and load(id)
  return job and job.tok == token and job or nil
end
