-- Events: a stream with one entry per call and moment, whose id is the sequence of its last event;
-- the last EVENTS_KEPT are kept. An event is three fields:
--   kind:state -> id of the job      queue -> tenant      cause:group -> progress as JSON
-- where the group has 'g' before it, and is '' when there is none.
local function addEvent(job, kind)
  local size = #events
  events[size + 1], events[size + 2] = kind .. ':' .. job.st, job.id
  events[size + 3], events[size + 4] = job.q, job.t
  events[size + 5] = (job.cause or '') .. ':' .. (job.grp and 'g' .. job.grp or '')
  events[size + 6] = kind == 'progress' and job.prog or ''
end
