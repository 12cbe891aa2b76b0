-- The workers that have announced themselves.
-- @returns per worker {JSON, seen at, running}.
local running = {}
for _, id in ipairs(call('HVALS', P .. 'tokens')) do
  local worker = call('HGET', jobKey(id), 'w')
  if worker then running[worker] = (running[worker] or 0) + 1 end
end
local found = {}
local flat = call('HGETALL', P .. 'workers')
for index = 1, #flat, 2 do
  found[#found + 1] = { flat[index + 1], call('ZSCORE', P .. 'seen', flat[index]), running[flat[index]] or 0 }
end
return found
