-- The store's clock.
-- @returns ms since the epoch.
return moment
