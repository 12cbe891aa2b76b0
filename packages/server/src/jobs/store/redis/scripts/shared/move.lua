-- Every change of a job's state passes through here, which keeps the indexes and the counts of
-- queue, lane and tenant true and says so in the event log.
local function stateKey(queue, state) return P .. 'state:' .. pair(queue, state) end

local function enterLane(job)
  local lane = laneKey(job)
  setIndex(lane, placeOf(job), int(rankOf(job)))
  if entered[lane] then return end
  entered[lane] = true
  call('SADD', P .. 'lanes:' .. job.q, laneMember(job))
end

local function leaveLane(job)
  local lane = laneKey(job)
  setIndex(lane, placeOf(job), false)
  if not emptied[lane] then emptied[lane] = { P .. 'lanes:' .. job.q, laneMember(job) } end
end

-- rdy must be set before a job becomes ready.
local function move(job, to)
  local from = job.st
  local queued, running = 0, 0
  if from then
    setIndex(stateKey(job.q, from), job.id, false)
    if from == 'ready' then
      setIndex(P .. 'ready:' .. job.q, job.id, false)
      if not job.gang then leaveLane(job) end
    end
    if from == 'ready' or from == 'blocked' then queued = -1 end
    if from == 'running' then running = -1 end
  end
  setIndex(stateKey(job.q, to), job.id, job.seq)
  if to == 'ready' then
    setIndex(P .. 'ready:' .. job.q, job.id, job.rdy)
    if not job.gang then enterLane(job) end
  end
  if to == 'ready' or to == 'blocked' then queued = queued + 1 end
  if to == 'running' then running = running + 1 end
  changeTenant(job.t, 'queued', queued)
  changeTenant(job.t, 'running', running)
  changeTenant(job.t, 'mc', running * tonumber(job.mc))
  changeTenant(job.t, 'mem', running * tonumber(job.mem))
  set(job, 'st', to)
  addEvent(job, 'state')
end
