-- Writes rows as they were: numbers, revisions and times. The caller has decided what is replaced.
-- A: rows one after another, each begins with its kind.
local before = answered()
if before then return before end
local at = 1
local function take()
  at = at + 1
  return A[at - 1]
end

local function countTo(model, last)
  if tonumber(last) > tonumber(call('HGET', P .. 'numbers', model) or 0) then
    call('HSET', P .. 'numbers', model, last)
  end
end

local write = {
  -- model, last number
  counter = function() countTo(take(), take()) end,
  -- model, number, content, 'ms record'
  version = function()
    local model, number, content, row = take(), take(), take(), take()
    countTo(model, number)
    call('HSET', P .. 'versions:' .. model, number, row)
    call('HSET', P .. 'contents:' .. model, content, number)
    announce('version', versionId(model, number))
  end,
  -- deployment, kind, 'ms entry'
  history = function() putHistory(take(), take(), take()) end,
  -- 'ms entry'
  audit = function() putAudit(take()) end,
  -- name, revision
  tombstone = function()
    local name, revision = take(), take()
    call('HSET', P .. 'revisions', name, revision)
    announce('deployment', name, revision, true)
  end,
  -- name, revision, 'revision ms row', how many earlier rows, and these, newest first
  deployment = function()
    local name, revision, row = take(), take(), take()
    call('HSET', P .. 'revisions', name, revision)
    call('HSET', P .. 'deployments', name, row)
    call('DEL', P .. 'earlier:' .. name)
    for _ = 1, tonumber(take()) do call('RPUSH', P .. 'earlier:' .. name, take()) end
    announce('deployment', name, revision)
  end,
}
while A[at] do write[take()]() end
return answer('1')
