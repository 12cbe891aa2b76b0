-- A[1] limit.
-- @returns {{member, demand, share}, …}.
return liveShares(A[1])
