-- Removes an ended job, with its logs and the entries that name it.
local function removeJob(id)
  local job = load(id)
  for number = 1, tonumber(job.n or 0) do
    local token = string.match(job['a' .. number], '^%d+')
    removeLog(job.t, int(number), id)
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
