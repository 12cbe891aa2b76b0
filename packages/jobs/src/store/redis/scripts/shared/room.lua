-- The rest of a worker's offer while it is being filled.
local function fits(room, job)
  return room.places > 0 and tonumber(job.mc) <= room.mc and tonumber(job.mem) <= room.mem
end

local function occupy(room, job)
  room.mc = room.mc - tonumber(job.mc)
  room.mem = room.mem - tonumber(job.mem)
  room.places = room.places - 1
end

-- @param requires joined by commas, which no label contains.
local function hasLabels(room, requires)
  for label in string.gmatch(requires, '[^,]+') do
    if not room.labels[label] then return false end
  end
  return true
end
