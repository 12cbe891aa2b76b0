-- Of all owners.
for _, owner in ipairs(call('ZRANGE', P .. 'response-owners', 0, -1)) do
  for _, place in ipairs(call('ZRANGE', placesKey(owner), 0, -1)) do
    call('DEL', removePlace(owner, place))
  end
  call('DEL', placesKey(owner), bytesKey(owner))
end
call('DEL', P .. 'response-owners')
return '1'
