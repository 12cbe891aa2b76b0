-- Gangs: all members are placed or none. See gang.ts of the SQLite store for the reasoning.
-- The hash gang:KEY: q, t, size; mR the member of rank R; rR, uR the worker that keeps a place for
-- it, and until when; until: being assembled; asm: assemblies that failed; nb: not before; host, port.
local function gangKey(gang) return P .. 'gang:' .. gang end

local function loadGang(key)
  local flat = call('HGETALL', gangKey(key))
  local gang = { key = key }
  for index = 1, #flat, 2 do gang[flat[index]] = flat[index + 1] end
  gang.class = 'gang'
  gang.size = tonumber(gang.size)
  return gang
end

local function membersOf(gang)
  local members = {}
  for rank = 0, gang.size - 1 do
    local id = gang['m' .. rank]
    local job = id and load(id)
    if job then members[#members + 1] = job end
  end
  return members
end

local function release(gang)
  for rank = 0, gang.size - 1 do
    call('HDEL', gangKey(gang.key), 'r' .. rank, 'u' .. rank)
    gang['r' .. rank] = nil
  end
end

-- A gang enters its lane when its last member is ready.
local function memberBecameReady(key)
  local gang = loadGang(key)
  local members = membersOf(gang)
  if #members < gang.size then return end
  local rank
  for _, job in ipairs(members) do
    if job.st ~= 'ready' then return end
    local own = rankOf(job)
    if not rank or own < rank then rank = own end
  end
  call('ZADD', laneKey(gang), int(rank), key)
  call('SADD', P .. 'lanes:' .. gang.q, laneMember(gang))
  notifyQueue(gang.q)
end

local function stopAssembling(gang)
  call('HDEL', gangKey(gang.key), 'until')
  call('ZREM', P .. 'assemblies', gang.key)
  if call('HGET', P .. 'assembling', gang.q) == gang.key then call('HDEL', P .. 'assembling', gang.q) end
  release(gang)
end

-- A gang leaves its lane: it starts, or a member can no longer.
local function memberLeftReady(key)
  local gang = loadGang(key)
  local lane = laneKey(gang)
  if call('ZREM', lane, key) == 0 then return end
  if call('EXISTS', lane) == 0 then call('SREM', P .. 'lanes:' .. gang.q, laneMember(gang)) end
  call('ZREM', P .. 'pauses', key)
  stopAssembling(gang)
end

-- Gives back the places of an assembly that took too long, so that other gangs can assemble.
local function abandonAssembly(key)
  local gang = loadGang(key)
  local failed = tonumber(gang.asm or 0)
  local notBefore = now + ASSEMBLY_MS * 2 ^ math.min(failed, 5)
  stopAssembling(gang)
  call('HSET', gangKey(key), 'asm', failed + 1, 'nb', int(notBefore))
  call('ZADD', P .. 'pauses', int(notBefore), key)
  notifyQueue(gang.q)
end
