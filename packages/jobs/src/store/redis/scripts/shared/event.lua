-- Events: a stream with one entry per call and moment, whose id is the sequence of its last event;
-- the last EVENTS_KEPT are kept. Neighbours that differ by their job alone are one run:
--   {kind, state, queue, tenant, cause, group, progress, jobs = ids}
local EVENTS_PER_ENTRY = 1000

local function addEvent(job, kind)
  local run = events[#events]
  if run and kind ~= 'progress' and run.kind == kind and run.state == job.st and run.queue == job.q
    and run.tenant == job.t and run.cause == job.cause and run.group == job.grp then
    run.jobs[#run.jobs + 1] = job.id
  else
    events[#events + 1] = {
      kind = kind, state = job.st, queue = job.q, tenant = job.t, cause = job.cause, group = job.grp,
      progress = kind == 'progress' and job.prog or nil, jobs = { job.id },
    }
  end
  eventCount = eventCount + 1
  if eventCount == EVENTS_PER_ENTRY then writeEvents() end
end
