-- Every change of a job's state passes through here, which keeps the indexes and the counts of
-- queue, lane and tenant true and says so in the event log.
local function stateKey(queue, state) return P .. 'state:' .. pair(queue, state) end

local function enterLane(job)
  call('ZADD', laneKey(job), int(rankOf(job)), placeOf(job))
  call('SADD', P .. 'lanes:' .. job.q, laneMember(job))
end

local function leaveLane(job)
  local lane = laneKey(job)
  call('ZREM', lane, placeOf(job))
  if not emptied[lane] then emptied[lane] = { P .. 'lanes:' .. job.q, laneMember(job) } end
end

-- rdy must be set before a job becomes ready. The caller writes what else changes.
local function move(job, to)
  local from = job.st
  local queued, running = 0, 0
  if from then
    call('ZREM', stateKey(job.q, from), job.id)
    if from == 'ready' then
      call('ZREM', P .. 'ready:' .. job.q, job.id)
      if not job.gang then leaveLane(job) end
    end
    if from == 'ready' or from == 'blocked' then queued = -1 end
    if from == 'running' then running = -1 end
  end
  call('ZADD', stateKey(job.q, to), job.seq, job.id)
  if to == 'ready' then
    call('ZADD', P .. 'ready:' .. job.q, job.rdy, job.id)
    if not job.gang then enterLane(job) end
  end
  if to == 'ready' or to == 'blocked' then queued = queued + 1 end
  if to == 'running' then running = running + 1 end
  changeTenant(job.t, 'queued', queued)
  changeTenant(job.t, 'running', running)
  changeTenant(job.t, 'mc', running * tonumber(job.mc))
  changeTenant(job.t, 'mem', running * tonumber(job.mem))
  job.st = to
  addEvent(job, 'state')
end
