-- @returns the records, in no particular order.
return call('HVALS', P .. 'declarations')
