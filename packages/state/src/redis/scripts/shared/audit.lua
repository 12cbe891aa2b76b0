-- The audit trail: a list of 'id ms entry', newest first. @returns the id.
local function putAudit(row)
  local id = int(nextNumber('audit'))
  call('LPUSH', P .. 'audit', id .. ' ' .. row)
  call('LTRIM', P .. 'audit', 0, AUDIT_KEPT - 1)
  return id
end
