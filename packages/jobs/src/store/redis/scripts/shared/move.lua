-- The only place that changes the state of a job: it updates the indexes and the counts of queue,
-- lane and tenant, and writes the event.
local function stateKey(queue, state) return P .. 'state:' .. pair(queue, state) end

-- The keys of a queue, each put together once in a call.
local function queueKeys(queue)
  local keys = keysOf[queue]
  if not keys then
    keys = { ready = P .. 'ready:' .. queue, lanes = P .. 'lanes:' .. queue, states = {}, lane = {} }
    for state in pairs(STATES) do keys.states[state] = stateKey(queue, state) end
    keysOf[queue] = keys
  end
  return keys
end

-- The key of a job's lane, and its member in the set of lanes.
local function laneOf(keys, job)
  local ofTenant = keys.lane[job.t]
  if not ofTenant then
    ofTenant = {}
    keys.lane[job.t] = ofTenant
  end
  local lane = ofTenant[job.class]
  if not lane then
    lane = { key = laneKey(job), member = laneMember(job) }
    ofTenant[job.class] = lane
  end
  return lane
end

local function enterLane(keys, job)
  local lane = laneOf(keys, job)
  setIndex(lane.key, placeOf(job), int(rankOf(job)))
  if entered[lane.key] then return end
  entered[lane.key] = true
  call('SADD', keys.lanes, lane.member)
end

local function leaveLane(keys, job)
  local lane = laneOf(keys, job)
  setIndex(lane.key, placeOf(job), false)
  if not emptied[lane.key] then emptied[lane.key] = { keys.lanes, lane.member } end
end

-- rdy must be set before a job becomes ready.
local function move(job, to)
  local from = job.st
  local keys = queueKeys(job.q)
  local queued, running = 0, 0
  if from then
    setIndex(keys.states[from], job.id, false)
    if from == 'ready' then
      setIndex(keys.ready, job.id, false)
      if not job.gang then leaveLane(keys, job) end
    end
    if from == 'ready' or from == 'blocked' then queued = -1 end
    if from == 'running' then running = -1 end
  end
  setIndex(keys.states[to], job.id, job.seq)
  if to == 'ready' then
    setIndex(keys.ready, job.id, job.rdy)
    if not job.gang then enterLane(keys, job) end
  end
  if to == 'ready' or to == 'blocked' then queued = queued + 1 end
  if to == 'running' then running = running + 1 end
  changeTenant(job.t, 'queued', queued)
  if running ~= 0 then
    changeTenant(job.t, 'running', running)
    changeTenant(job.t, 'mc', running * tonumber(job.mc))
    changeTenant(job.t, 'mem', running * tonumber(job.mem))
  end
  job.st = to
  changed[job.id] = true
  addEvent(job, 'state')
end
