-- Makes the transitions that are due, a bounded number per call; schedules have their own script.
-- @returns when it is next due, ms since the epoch.
local function due(key)
  return call('ZRANGEBYSCORE', P .. key, '-inf', moment, 'LIMIT', 0, TICK_BATCH)
end

-- A clock that was set back must not prolong leases by the same amount.
for _, token in ipairs(call('ZREVRANGE', P .. 'leases', 0, TICK_BATCH - 1)) do
  local id = call('HGET', P .. 'tokens', token)
  local duration = tonumber(load(id).dur)
  if tonumber(call('ZSCORE', P .. 'leases', token)) <= now + duration then break end
  call('ZADD', P .. 'leases', int(now + duration), token)
end

for _, id in ipairs(due('deadlines')) do
  local job = load(id)
  if not ENDED[job.st] then
    stopJob(job, 'failed', 'deadline', 'Its deadline passed.')
  end
end
complete()

local silent = due('leases')
preloadLeased(silent)
for _, token in ipairs(silent) do
  later[#later + 1] = function()
    local job = leased(token)
    if not job then return end
    local message = 'Worker ' .. job.w .. ' did not renew its lease.'
    closeAttempt(job, 'lease-lost', message, nil, 'lost')
    retryOrEnd(job, 'lease-lost', message, true)
  end
end
for _, id in ipairs(due('waiting')) do
  later[#later + 1] = function()
    local job = load(id)
    if not job.wu then return end
    clear(job, 'wu')
    setIndex(P .. 'waiting', id, false)
    settle(job)
  end
end

for _, key in ipairs(due('assemblies')) do abandonAssembly(key) end
local assembling = call('HVALS', P .. 'assembling')
local firstUntil
for _, key in ipairs(assembling) do
  local gang = loadGang(key)
  for rank = 0, gang.size - 1 do
    local kept = tonumber(gang['u' .. rank])
    if kept and kept <= now then
      call('HDEL', gangKey(key), 'r' .. rank, 'u' .. rank)
    elseif kept and (not firstUntil or kept < firstUntil) then
      firstUntil = kept
    end
  end
end
for _, key in ipairs(due('pauses')) do
  call('ZREM', P .. 'pauses', key)
  notifyQueue(loadGang(key).q)
end

-- Forgets ended jobs whose retention is over.
local function forget(id)
  local job = load(id)
  for number = 1, tonumber(job.n or 0) do
    local token = string.match(job['a' .. number], '^%d+')
    forgetLog(job.t, int(number), id)
    call('DEL', P .. 'cancelled:' .. token)
  end
  for _, parent in ipairs(parentsOf(job)) do call('SREM', P .. 'children:' .. parent, id) end
  if job.idem and call('HGET', P .. 'idempotency', job.idem) == id then
    setField(P .. 'idempotency', job.idem, false)
  end
  if job.key and call('HGET', P .. 'cache:' .. job.t, job.key) == id then
    setField(P .. 'cache:' .. job.t, job.key, false)
  end
  if job.gang then
    call('HDEL', gangKey(job.gang), 'm' .. job.gr)
    local left = false
    for _, field in ipairs(call('HKEYS', gangKey(job.gang))) do left = left or string.sub(field, 1, 1) == 'm' end
    if not left then call('DEL', gangKey(job.gang)) end
  end
  setIndex(stateKey(job.q, job.st), id, false)
  setIndex(P .. 'jobs', id, false)
  setIndex(P .. 'tenant-jobs:' .. job.t, id, false)
  if job.grp then setIndex(P .. 'group:' .. job.grp, id, false) end
  setIndex(P .. 'expiries', id, false)
  call('DEL', jobKey(id), specKey(id), P .. 'children:' .. id)
  loaded[id], changed[id] = false, nil
end
complete()
local expired = due('expiries')
preload(expired)
for _, id in ipairs(expired) do forget(id) end

for _, worker in ipairs(call('ZRANGEBYSCORE', P .. 'seen', '-inf', int(now - WORKER_SILENT_MS))) do
  forgetWorker(worker)
end
complete()

local nextDue = now + IDLE_MS
local function consider(at)
  if at and at < nextDue then nextDue = at end
end
for _, key in ipairs({ 'deadlines', 'leases', 'waiting', 'assemblies', 'pauses', 'expiries', 'schedules:due' }) do
  consider(tonumber(call('ZRANGE', P .. key, 0, 0, 'WITHSCORES')[2]))
end
consider(firstUntil)
return int(math.max(now, nextDue))
