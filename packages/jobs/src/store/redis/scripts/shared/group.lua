-- Groups of jobs: what a pipeline, a map or a gang has behind one job.

-- The first job of a group, other than `but`, that belongs to this tenant and, unless it is '', this queue.
local function memberOf(group, tenant, queue, but)
  local offset = 0
  while true do
    local ids = call('ZRANGE', P .. 'group:' .. group, offset, offset + 99)
    if #ids == 0 then return nil end
    for _, id in ipairs(ids) do
      local job = id ~= but and load(id)
      if job and job.t == tenant and (queue == '' or job.q == queue) then return id end
    end
    offset = offset + 100
  end
end

-- The job of a group that a folded list shows: the one that started it, or its first member.
local function headOf(group, tenant, queue)
  local starter = load(group)
  if starter and starter.t == tenant and (queue == '' or starter.q == queue) then return group end
  return memberOf(group, tenant, queue, group)
end
