-- The workers that have announced themselves.
-- @returns per worker {JSON, seen at, running}.
local running = {}
local ids = call('HVALS', P .. 'tokens')
preload(ids)
for _, id in ipairs(ids) do
  local job = load(id)
  if job and job.w then running[job.w] = (running[job.w] or 0) + 1 end
end
local found = {}
local flat = call('HGETALL', P .. 'workers')
for index = 1, #flat, 2 do
  found[#found + 1] = { flat[index + 1], call('ZSCORE', P .. 'seen', flat[index]), running[flat[index]] or 0 }
end
return found
