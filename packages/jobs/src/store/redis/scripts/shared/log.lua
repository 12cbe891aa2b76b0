-- The logs of a tenant, and a bound on their bytes over all of its jobs.
--   log:N:ID          of attempt N of a job
--   tenant-logs:T     'N:ID' by the token of the attempt
--   tenant:T logBytes how much they are

local function countLogBytes(tenant, by) return call('HINCRBY', P .. 'tenant:' .. tenant, 'logBytes', int(by)) end

-- @returns the bytes of all logs of the tenant then.
local function removeLog(tenant, number, id)
  local key = P .. 'log:' .. number .. ':' .. id
  local size = call('STRLEN', key)
  call('DEL', key)
  -- A log of a version that did not count them is not taken back.
  if call('ZREM', P .. 'tenant-logs:' .. tenant, number .. ':' .. id) == 0 then size = 0 end
  return countLogBytes(tenant, -size)
end

-- Counts what an attempt has written, and removes the logs that ended first while there are too many.
local function countLog(job, token, bytes)
  local logs = P .. 'tenant-logs:' .. job.t
  call('ZADD', logs, token, job.n .. ':' .. job.id)
  local held = countLogBytes(job.t, bytes)
  local from = 0
  while held > TENANT_LOG_BYTES do
    local oldest = call('ZRANGE', logs, from, from + 49)
    -- All that is left is being written, which a bound of each holds.
    if #oldest == 0 then return end
    for _, member in ipairs(oldest) do
      local number, id = string.match(member, '^(%d+):(.*)$')
      local other = load(id)
      if other and not other['e' .. number] then
        from = from + 1
      else
        held = removeLog(job.t, number, id)
        if held <= TENANT_LOG_BYTES then return end
      end
    end
  end
end
