-- The change feed: a stream. An entry's id is its sequence, and a random number that distinguishes
-- two histories of one store, as after a failover that lost writes.
local function announce(kind, id, revision, removed)
  local fields = { 'kind', kind, 'id', id }
  if revision then
    fields[#fields + 1] = 'revision'
    fields[#fields + 1] = revision
  end
  if removed then
    fields[#fields + 1] = 'removed'
    fields[#fields + 1] = '1'
  end
  call('XADD', P .. 'changes', 'MAXLEN', '~', CHANGES_KEPT, nextNumber('change') .. '-' .. random, unpack(fields))
end

-- A version as one id, as the change feed names it.
local function versionId(model, number) return model .. ':' .. number end
