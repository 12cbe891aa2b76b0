-- @returns {{incarnation, 'order joined renewed newest-schema info'}, …} of the live ones.
return liveMembers()
