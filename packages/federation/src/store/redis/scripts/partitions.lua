-- @returns all partitions.
return call('HKEYS', P .. 'versions')
