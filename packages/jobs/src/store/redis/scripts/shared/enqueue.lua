-- Accepts jobs: all or none. Shared by an enqueue and by a schedule that is due.
-- Per job 18 values, then as many parents as the last of them counts:
--   the id that was asked for or '', the id that it gets, spec as JSON, name, queue, tenant, class,
--   priority, millicores, memory, retention, group, idempotency key, content key, notBefore,
--   deadline, gang as JSON, number of parents; '' for what is absent
-- @returns ids, or {code, message, retryAfterMs}.
local function refuse(code, message, retryAfterMs) return nil, { 'refused', code, message, retryAfterMs or 0 } end

local NONE = {}

local function readJobs(from, count)
  local jobs, at = {}, from
  for index = 1, count do
    local job = {
      given = ARGV[at], made = ARGV[at + 1], spec = ARGV[at + 2], name = ARGV[at + 3], q = ARGV[at + 4],
      t = ARGV[at + 5], class = ARGV[at + 6], pr = ARGV[at + 7], mc = ARGV[at + 8], mem = ARGV[at + 9],
      ret = ARGV[at + 10], grp = ARGV[at + 11], idem = ARGV[at + 12], key = ARGV[at + 13],
      notBefore = tonumber(ARGV[at + 14]), deadline = ARGV[at + 15], gang = ARGV[at + 16], parents = NONE,
    }
    local parents = tonumber(ARGV[at + 17])
    if parents > 0 then job.parents = {} end
    for parent = 1, parents do job.parents[parent] = ARGV[at + 17 + parent] end
    at = at + 18 + parents
    jobs[index] = job
  end
  return jobs
end

-- mostQueued and jobsPerSecond hold for tenants whose settings name no limit; nil is no limit.
-- @throws nothing: @returns an error when the tenants or queues do not take so many.
local function admit(jobs, mostQueued, jobsPerSecond)
  local queues, tenants = {}, {}
  for _, job in ipairs(jobs) do
    queues[job.q] = true
    tenants[job.t] = (tenants[job.t] or 0) + 1
  end
  for queue in pairs(queues) do
    if call('HGET', P .. 'queues', queue) == 'draining' then
      return refuse('QUEUE_DRAINING', 'Queue "' .. queue .. '" is being drained.')
    end
  end
  local buckets = {}
  for tenant, count in pairs(tenants) do
    local limits = call('HMGET', P .. 'tenant:' .. tenant, 'maxQueued', 'rate', 'queued', 'tokens', 'tokensAt')
    local most = tonumber(limits[1]) or mostQueued
    local rate = tonumber(limits[2]) or jobsPerSecond
    local queued = tonumber(limits[3] or 0)
    if most and queued + count > most then
      return refuse('TENANT_QUOTA', 'Tenant "' .. tenant .. '" has ' .. queued .. ' jobs queued and may have '
        .. most .. '; ' .. count .. ' more were sent.')
    end
    if rate then
      local size = math.max(1, rate)
      local tokens = size
      if limits[4] then
        tokens = math.min(size, tonumber(limits[4]) + math.abs(now - tonumber(limits[5])) * rate / 1000)
      end
      local needed = math.min(count, size)
      if tokens < needed then
        return refuse('RATE_LIMITED', 'Tenant "' .. tenant .. '" may enqueue ' .. rate .. ' jobs per second.',
          math.ceil((needed - tokens) * 1000 / rate))
      end
      buckets[tenant] = tokens - count
    end
  end
  return function()
    for queue in pairs(queues) do call('HSETNX', P .. 'queues', queue, 'open') end
    for tenant in pairs(tenants) do
      if call('SADD', P .. 'tenants', tenant) == 1 then call('HSETNX', P .. 'tenant:' .. tenant, 'weight', 1) end
      if buckets[tenant] then
        call('HSET', P .. 'tenant:' .. tenant, 'tokens', string.format('%.17g', buckets[tenant]), 'tokensAt', moment)
      end
    end
  end
end

-- Checks the gangs that the jobs join, without changing them.
local function checkGangs(jobs)
  local taken = {}
  for _, job in ipairs(jobs) do
    if job.gang ~= '' then
      local gang = cjson.decode(job.gang)
      job.gangName = pair(job.t, gang.id)
      job.gr = gang.rank
      job.gangSize = gang.size
      local known = taken[job.gangName]
      if not known then
        local size, queue = unpack(call('HMGET', gangKey(job.gangName), 'size', 'q'))
        known = { size = tonumber(size) or gang.size, queue = queue or job.q }
        taken[job.gangName] = known
      end
      local there = known[gang.rank] or call('HEXISTS', gangKey(job.gangName), 'm' .. gang.rank) == 1
      if known.size ~= gang.size or known.queue ~= job.q or there then
        return refuse('REQUEST_INVALID', 'Rank ' .. gang.rank .. ' does not fit gang "' .. gang.id .. '" of '
          .. known.size .. ' in queue "' .. known.queue .. '": '
          .. (there and 'it is there already.' or 'its size and queue are the same for every member.'))
      end
      known[gang.rank] = true
    end
  end
  return true
end

-- Replaces the parents of a job by their ids, each once, and counts those that it waits for.
-- @returns an error, or true.
local function resolveParents(job, alias, batch)
  local seen, parents = {}, {}
  for _, name in ipairs(job.parents) do
    local parent = alias[name] or name
    if not seen[parent] then
      seen[parent] = true
      parents[#parents + 1] = parent
      if parent ~= name then job.par = true end
      if batch[parent] then
        job.wf = job.wf + 1
        batch[parent].childrenHere = batch[parent].childrenHere or {}
        table.insert(batch[parent].childrenHere, job)
      else
        local there = load(parent)
        local state = there and there.st
        if not state then
          return refuse('PARENT_UNKNOWN', 'Job "' .. job.name .. '" names the parent ' .. parent
            .. ', which does not exist.')
        end
        if state ~= 'succeeded' then
          job.wf = job.wf + 1
          if ENDED[state] then job.failedParent = parent end
        end
      end
    end
  end
  job.parents = parents
  return true
end

-- @returns an error when jobs of the call wait for each other in a circle, or true.
local function checkCircles(fresh, batch)
  local open, free = {}, {}
  for _, job in ipairs(fresh) do
    open[job.id] = 0
    for _, parent in ipairs(job.parents) do
      if batch[parent] then open[job.id] = open[job.id] + 1 end
    end
    if open[job.id] == 0 then free[#free + 1] = job end
  end
  local index = 1
  while free[index] do
    for _, child in ipairs(free[index].childrenHere or NONE) do
      open[child.id] = open[child.id] - 1
      if open[child.id] == 0 then free[#free + 1] = child end
    end
    index = index + 1
  end
  if #free == #fresh then return true end
  for _, job in ipairs(fresh) do
    if open[job.id] > 0 then
      return refuse('REQUEST_INVALID', 'Job "' .. job.name .. '" waits for itself in a circle of parents.')
    end
  end
end

-- @returns an error, or the jobs in the call that are new.
local function resolve(jobs)
  local known, fresh, alias, batch = {}, {}, {}, {}
  for _, job in ipairs(jobs) do
    local same
    if job.idem ~= '' then
      local key = pair(job.t, pair(job.q, job.idem))
      same = known[key] or call('HGET', P .. 'idempotency', key)
      if not same then known[key] = job.made end
      job.idemKey = key
    end
    job.id = same or job.made
    if job.given ~= '' then alias[job.given] = job.id end
    if not same then
      fresh[#fresh + 1] = job
      batch[job.id] = job
    end
  end
  local anyParents = false
  for _, job in ipairs(fresh) do
    if job.given ~= '' and call('EXISTS', jobKey(job.id)) == 1 then
      return refuse('REQUEST_INVALID', 'The id "' .. job.id .. '" belongs to another job.')
    end
    job.wf = 0
    if job.parents ~= NONE then
      anyParents = true
      local sound, refused = resolveParents(job, alias, batch)
      if not sound then return nil, refused end
    end
  end
  if anyParents then
    local sound, refused = checkCircles(fresh, batch)
    if not sound then return nil, refused end
  end
  return fresh
end

local function insert(given)
  local job = {
    id = given.id, q = given.q, t = given.t, class = given.class, pr = given.pr, mc = given.mc,
    mem = given.mem, ret = given.ret, enq = moment, seq = int(nextNumber('job')),
  }
  loaded[job.id] = job
  if given.grp ~= '' then job.grp = given.grp end
  if given.key ~= '' then job.key = given.key end
  if given.idemKey then
    job.idem = given.idemKey
    setField(P .. 'idempotency', given.idemKey, job.id)
  end
  if given.wf > 0 then job.wf = given.wf end
  if given.par then job.par = cjson.encode(given.parents) end
  if given.childrenHere then job.kids = 1 end
  if given.deadline ~= '' then
    job.dl = given.deadline
    setIndex(P .. 'deadlines', job.id, given.deadline)
  end
  if given.notBefore and given.notBefore > now then
    job.wu = int(given.notBefore)
    setIndex(P .. 'waiting', job.id, job.wu)
  end
  if given.gangName then
    job.gang, job.gr = given.gangName, given.gr
    call('HSET', gangKey(given.gangName), 'q', job.q, 't', job.t, 'size', given.gangSize, 'm' .. given.gr, job.id)
  end
  for _, parent in ipairs(given.parents) do
    call('SADD', P .. 'children:' .. parent, job.id)
    local there = loaded[parent]
    if there then set(there, 'kids', 1) end
  end
  local simple = given.wf == 0 and not job.wu and not job.gang and not job.key
  given.simple = simple and not given.par
  if simple then
    job.rdy = job.enq
    notifyQueue(job.q)
  end
  move(job, simple and 'ready' or 'blocked')
  setIndex(P .. 'jobs', job.id, job.seq)
  setIndex(P .. 'tenant-jobs:' .. job.t, job.id, job.seq)
  if job.grp then setIndex(P .. 'group:' .. job.grp, job.id, job.seq) end
  if simple then return end
  later[#later + 1] = function()
    local row = load(job.id)
    if row.st ~= 'blocked' then return end
    if given.failedParent then
      finishJob(row, 'failed', 'parent-failed', 'Its parent ' .. given.failedParent .. ' did not succeed.')
    else
      settle(row)
    end
  end
end

local function enqueue(jobs, mostQueued, jobsPerSecond)
  local fresh, refused = resolve(jobs)
  if not fresh then return nil, refused end
  local commit
  commit, refused = admit(fresh, mostQueued, jobsPerSecond)
  if not commit then return nil, refused end
  local sound
  sound, refused = checkGangs(fresh)
  if not sound then return nil, refused end
  commit()
  local specs = {}
  for _, job in ipairs(fresh) do
    insert(job)
    specs[#specs + 1] = specKey(job.id)
    specs[#specs + 1] = job.spec
  end
  for from = 1, #specs, MOST_ARGUMENTS do
    call('MSET', unpack(specs, from, math.min(from + MOST_ARGUMENTS - 1, #specs)))
  end
  local ids = {}
  for index, job in ipairs(jobs) do ids[index] = job.id end
  return ids
end

-- @returns the ids when the very same call has been accepted already.
local function accepted(jobs)
  local ids = {}
  for index, job in ipairs(jobs) do
    local key = job.idem ~= '' and pair(job.t, pair(job.q, job.idem))
    local id = key and call('HGET', P .. 'idempotency', key) or job.made
    if call('EXISTS', jobKey(id)) == 0 then return nil end
    ids[index] = id
  end
  return ids
end
