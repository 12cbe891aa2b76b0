-- How a job becomes ready and how it ends, with what follows for its children and its gang.
local function parentEnded(child, parent, succeeded) end
local function endGang(key, first, state) end
local function endStarted(run, state) end

-- Ends the job until it is revived.
local function finishJob(job, state, cause, message)
  local from = job.st
  job.cause = cause
  move(job, state)
  job.fin, job.msg = moment, message
  setIndex(P .. 'expiries', job.id, int(now + tonumber(job.ret)))
  if job.wu then
    clear(job, 'wu')
    setIndex(P .. 'waiting', job.id, false)
  end
  if job.dl then
    clear(job, 'dl')
    setIndex(P .. 'deadlines', job.id, false)
  end
  if job.key and state == 'succeeded' then call('HSET', P .. 'cache:' .. job.t, job.key, job.id) end
  if job.gang then
    clear(job, 'held')
    if from == 'ready' then memberLeftReady(job.gang) end
    if state ~= 'succeeded' then endGang(job.gang, job.id, state) end
  end
  local children = job.kids and call('SMEMBERS', P .. 'children:' .. job.id) or {}
  for _, child in ipairs(children) do
    later[#later + 1] = function() parentEnded(child, job.id, state == 'succeeded') end
  end
  if not job.grp and (state == 'failed' or state == 'dead') then endStarted(job, state) end
end

-- Reuses a kept success with the same content key instead of running. @returns whether it did.
local function takeCached(job)
  if not job.key or job.gang then return false end
  local id = call('HGET', P .. 'cache:' .. job.t, job.key)
  local kept = id and load(id)
  if not (kept and kept.res) then return false end
  set(job, 'res', kept.res, 'from', id)
  finishJob(job, 'succeeded')
  return true
end

-- A job without pending parents or delay becomes ready, or reuses the result of an equal job.
local function settle(job)
  if job.st ~= 'blocked' or job.wu or tonumber(job.wf or 0) > 0 then return end
  if takeCached(job) then return end
  job.rdy = moment
  move(job, 'ready')
  if job.gang then memberBecameReady(job.gang) else notifyQueue(job.q) end
end

parentEnded = function(child, parent, succeeded)
  local job = load(child)
  if not job or job.st ~= 'blocked' then return end
  if succeeded then
    set(job, 'wf', int(tonumber(job.wf) - 1))
    settle(job)
  else
    finishJob(job, 'failed', 'parent-failed', 'Its parent ' .. parent .. ' did not succeed.')
  end
end

-- Ends the other members of a gang with the state of the first member that could not be retried.
endGang = function(key, first, state)
  for _, member in ipairs(membersOf(loadGang(key))) do
    if member.id ~= first and not ENDED[member.st] then
      later[#later + 1] = function()
        local job = load(member.id)
        if ENDED[job.st] then return end
        local message = 'Member ' .. first .. ' of its gang ended as ' .. state .. '.'
        if job.st == 'running' then closeAttempt(job, 'gang-broken', message, nil, 'cancel') end
        finishJob(job, state, 'gang-broken', message)
      end
    end
  end
end

-- Cancels what a task has started that has failed for good: no job waits for the results. A task cannot always do so
-- itself: its deadline has passed, or its worker is gone. What it starts is in the group of its id.
endStarted = function(run, state)
  local started = call('ZRANGE', P .. 'group:' .. run.id, 0, -1)
  if #started == 0 or specOf(run).work.kind ~= 'task' then return end
  preload(started)
  local message = 'Its run ' .. run.id .. ' ended as ' .. state .. '.'
  for _, id in ipairs(started) do
    later[#later + 1] = function()
      local job = load(id)
      if not job or job.t ~= run.t or ENDED[job.st] then return end
      if job.st == 'running' then closeAttempt(job, 'cancelled', message, nil, 'cancel') end
      finishJob(job, 'cancelled', 'cancelled', message)
    end
  end
end
