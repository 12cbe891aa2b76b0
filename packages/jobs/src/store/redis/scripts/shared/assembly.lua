-- Placing gangs: places are reserved offer by offer, and once all are there the gang starts.

local function memberClaim(job, token)
  local host, port = unpack(call('HMGET', gangKey(job.gang), 'host', 'port'))
  return { token, tonumber(job.n), host or '', port or '', job.id }
end

-- Members that started on this worker by another worker's offer, and that it has not fetched yet.
local function deliverPlaced(capacity)
  local key = P .. 'placed:' .. capacity.worker
  while capacity.places > 0 do
    local token = call('LPOP', key)
    if not token then return end
    local job = leased(token)
    if job then
      occupy(capacity, job)
      capacity.claims[#capacity.claims + 1] = memberClaim(job, token)
    end
  end
end

-- Places that this worker keeps for members stay kept, and out of this offer.
local function keepReservations(capacity)
  for _, key in ipairs(call('HVALS', P .. 'assembling')) do
    local gang = loadGang(key)
    for rank = 0, gang.size - 1 do
      if gang['r' .. rank] == capacity.worker then
        call('HSET', gangKey(key), 'u' .. rank, int(now + capacity.leaseMs))
        occupy(capacity, load(gang['m' .. rank]))
      end
    end
  end
end

-- @param places rank -> {worker, leaseMs}.
local function start(capacity, gang, members, places)
  memberLeftReady(gang.key)
  call('HDEL', gangKey(gang.key), 'asm', 'nb')
  for _, job in ipairs(members) do
    local owner, leaseMs = unpack(places[tonumber(job.gr)])
    local token = openAttempt(job, owner, leaseMs)
    if owner == capacity.worker then
      capacity.claims[#capacity.claims + 1] = memberClaim(job, token)
    else
      call('RPUSH', P .. 'placed:' .. owner, token)
    end
  end
  notifyQueue(gang.q)
end

local function grow(capacity, gang)
  local members = membersOf(gang)
  local missing = 0
  local places = {}
  for _, job in ipairs(members) do
    local rank = tonumber(job.gr)
    local owner = gang['r' .. rank]
    if owner then
      places[rank] = { owner, math.max(1, tonumber(gang['u' .. rank]) - now) }
    elseif fits(capacity, job) and hasLabels(capacity, table.concat(specOf(job).requires, ',')) then
      occupy(capacity, job)
      places[rank] = { capacity.worker, capacity.leaseMs }
      call('HSET', gangKey(gang.key), 'r' .. rank, capacity.worker, 'u' .. rank, int(now + capacity.leaseMs))
      if rank == 0 then
        if capacity.host ~= '' then
          call('HSET', gangKey(gang.key), 'host', capacity.host, 'port', capacity.port)
        else
          call('HDEL', gangKey(gang.key), 'host', 'port')
        end
      end
    else
      missing = missing + 1
    end
  end
  if missing == 0 then start(capacity, gang, members, places) end
end

-- Gangs that are being assembled take missing places from this offer.
local function growAssemblies(capacity, queues)
  for _, queue in ipairs(queues) do
    local key = call('HGET', P .. 'assembling', queue)
    if key then grow(capacity, loadGang(key)) end
  end
end

-- Begins to assemble the first gang of a lane, unless another gang of the queue is being assembled.
-- @returns what the gang costs its tenant: millicores, memory, jobs.
local function beginAssembly(capacity, lane, allowance)
  if call('HEXISTS', P .. 'assembling', lane.queue) == 1 then return nil end
  for _, key in ipairs(call('ZRANGE', lane.key, 0, LOOK_AHEAD - 1)) do
    local gang = loadGang(key)
    if tonumber(gang.nb or 0) <= now and gang.size <= allowance then
      local members = membersOf(gang)
      local some = false
      local mc, mem = 0, 0
      for _, job in ipairs(members) do
        mc, mem = mc + tonumber(job.mc), mem + tonumber(job.mem)
        some = some or (fits(capacity, job) and hasLabels(capacity, table.concat(specOf(job).requires, ',')))
      end
      if not some then return nil end
      call('HSET', gangKey(key), 'until', int(now + ASSEMBLY_MS))
      call('ZADD', P .. 'assemblies', int(now + ASSEMBLY_MS), key)
      call('HSET', P .. 'assembling', lane.queue, key)
      grow(capacity, gang)
      return mc, mem, gang.size
    end
  end
  return nil
end
