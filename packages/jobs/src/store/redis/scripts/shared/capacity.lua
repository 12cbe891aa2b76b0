-- The rest of a worker's offer while it is being filled.
local function fits(capacity, job)
  return capacity.places > 0 and tonumber(job.mc) <= capacity.mc and tonumber(job.mem) <= capacity.mem
end

local function occupy(capacity, job)
  capacity.mc = capacity.mc - tonumber(job.mc)
  capacity.mem = capacity.mem - tonumber(job.mem)
  capacity.places = capacity.places - 1
end

-- @param requires joined by commas, which no label contains.
local function hasLabels(capacity, requires)
  for label in string.gmatch(requires, '[^,]+') do
    if not capacity.labels[label] then return false end
  end
  return true
end
