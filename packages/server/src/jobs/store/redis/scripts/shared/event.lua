-- Events: a stream whose ids are the sequence, bounded by EVENTS_KEPT.
local function addEvent(job, kind)
  local fields = { 'at', int(now), 'job', job.id, 'queue', job.q, 'tenant', job.t, 'kind', kind, 'state', job.st }
  if job.grp then
    fields[#fields + 1] = 'group'
    fields[#fields + 1] = job.grp
  end
  if job.cause then
    fields[#fields + 1] = 'cause'
    fields[#fields + 1] = job.cause
  end
  if kind == 'progress' then
    fields[#fields + 1] = 'progress'
    fields[#fields + 1] = job.prog
  end
  call('XADD', P .. 'events', 'MAXLEN', '~', EVENTS_KEPT, int(nextNumber('event')) .. '-0', unpack(fields))
end
