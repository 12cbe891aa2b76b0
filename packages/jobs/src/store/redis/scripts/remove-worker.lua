-- Removes a worker. Its leases run out by themselves; the places that it kept for gangs go back.
-- ARGV[3] worker.
removeWorker(ARGV[3])
call('DEL', P .. 'placed:' .. ARGV[3])
for _, key in ipairs(call('HVALS', P .. 'assembling')) do
  local gang = loadGang(key)
  for rank = 0, gang.size - 1 do
    if gang['r' .. rank] == ARGV[3] then call('HDEL', gangKey(key), 'r' .. rank, 'u' .. rank) end
  end
end
return 1
