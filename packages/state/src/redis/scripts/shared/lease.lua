-- Leases: a hash, name -> 'token ends holder'. A token is never given twice.
-- @returns token and holder of a live lease.
local function liveLease(name)
  local token, ends, holder = string.match(call('HGET', P .. 'leases', name) or '', '^(%d+) (%d+) (.*)$')
  if token and tonumber(ends) > now then return token, holder end
end

local function putLease(name, token, ends, holder)
  call('HSET', P .. 'leases', name, token .. ' ' .. ends .. ' ' .. holder)
end

-- For a write that only the holder of a lease may make; no name: any writer may.
local function checkFence(name, token)
  if name ~= '' and liveLease(name) ~= token then
    refuse('LEASE_LOST', 'The lease "' .. name .. '" with token ' .. token .. ' has ended.')
  end
end
