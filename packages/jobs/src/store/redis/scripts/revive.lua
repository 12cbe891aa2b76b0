-- Revives an ended, unsuccessful job with fresh attempts, with its gang and the children that
-- failed because of it. A job that its parents keep from starting stays as it is.
-- ARGV[3] id. @returns the view of the job, or 0.
local function revivable(job) return ENDED[job.st] and job.st ~= 'succeeded' end

local function orphaned(job)
  if job.cause ~= 'parent-failed' then return false end
  for _, parent in ipairs(parentsOf(job)) do
    local there = load(parent)
    if not there or (ENDED[there.st] and there.st ~= 'succeeded') then return true end
  end
  return false
end

local revive

local function bringBack(job)
  clear(job, 'cause', 'msg', 'fin', 'sta', 'fails', 'res')
  setIndex(P .. 'expiries', job.id, false)
  local spec = specOf(job)
  local deadline = tonumber(spec.deadline)
  if deadline and deadline > now then
    set(job, 'dl', int(deadline))
    setIndex(P .. 'deadlines', job.id, int(deadline))
  end
  local open = 0
  for _, parent in ipairs(parentsOf(job)) do
    local there = load(parent)
    if there and there.st ~= 'succeeded' then open = open + 1 end
  end
  move(job, 'blocked')
  set(job, 'wf', open)
  later[#later + 1] = function()
    for _, child in ipairs(call('SMEMBERS', P .. 'children:' .. job.id)) do
      local failed = load(child)
      if failed and failed.cause == 'parent-failed' then revive(failed) end
    end
    settle(load(job.id))
  end
end

revive = function(job)
  if not revivable(job) then return end
  local whole = { job }
  if job.gang then
    whole = {}
    for _, member in ipairs(membersOf(loadGang(job.gang))) do
      if revivable(member) then whole[#whole + 1] = member end
    end
  end
  for _, member in ipairs(whole) do
    if orphaned(member) then return end
  end
  for _, member in ipairs(whole) do bringBack(member) end
end

local job = load(ARGV[3])
if not job then return 0 end
revive(job)
complete()
return view(job.id)
