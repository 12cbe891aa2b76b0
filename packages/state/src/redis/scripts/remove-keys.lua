-- A: ids. What is not there is left out.
for _, id in ipairs(A) do
  if call('HDEL', P .. 'keys', id) == 1 then
    call('HDEL', P .. 'keys:revoked', id)
    call('LREM', P .. 'keys:order', 1, id)
    announce('key', id, nil, true)
  end
end
return 1
