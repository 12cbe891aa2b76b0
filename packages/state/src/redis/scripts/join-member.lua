-- A[1] incarnation, A[2] info, A[3] leaseMs, A[4] and A[5] oldest and newest schema that it reads.
removeEndedMembers()
local written = schema()
if written < tonumber(A[4]) or written > tonumber(A[5]) then
  refuse('STATE_TOO_NEW', 'The fleet writes schema ' .. written .. ', and this Skein reads ' .. A[4] .. ' to ' .. A[5] .. '.')
end
if call('HEXISTS', P .. 'members', A[1]) == 0 then announce('member', A[1]) end
putMember(A[1], int(nextNumber('member')), moment, A[5], A[2], A[3])
return 1
