-- Members: a sorted set by the end of their leases, and a hash
--   incarnation -> 'order joined renewed newest-schema info'
-- Those whose lease has ended are removed by the calls of those that live.
local function removeMember(incarnation)
  if call('ZREM', P .. 'members:ends', incarnation) == 0 then return end
  call('HDEL', P .. 'members', incarnation)
  announce('member', incarnation, nil, true)
end

local function removeEndedMembers()
  for _, incarnation in ipairs(call('ZRANGEBYSCORE', P .. 'members:ends', '-inf', moment)) do
    removeMember(incarnation)
  end
end

local function liveMembers()
  local rows = {}
  for _, incarnation in ipairs(call('ZRANGEBYSCORE', P .. 'members:ends', '(' .. moment, '+inf')) do
    rows[#rows + 1] = { incarnation, call('HGET', P .. 'members', incarnation) }
  end
  return rows
end

local function putMember(incarnation, order, joined, newest, info, leaseMs)
  call('HSET', P .. 'members', incarnation, table.concat({ order, joined, moment, newest, info }, ' '))
  call('ZADD', P .. 'members:ends', int(now + tonumber(leaseMs)), incarnation)
end

local function schema() return tonumber(call('HGET', P .. 'meta', 'schema')) end
