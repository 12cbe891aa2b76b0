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

-- Retention that is over.
complete()
local expired = due('expiries')
preload(expired)
for _, id in ipairs(expired) do removeJob(id) end

for _, worker in ipairs(call('ZRANGEBYSCORE', P .. 'seen', '-inf', int(now - WORKER_SILENT_MS))) do
  removeWorker(worker)
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
