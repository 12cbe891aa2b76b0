-- A write that changes nothing, after which its connection can wait for the disk.
call('SET', P .. 'sync', moment)
return 1
