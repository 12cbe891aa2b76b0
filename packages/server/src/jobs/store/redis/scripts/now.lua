-- The store's clock.
-- include: turn
-- @returns ms since the epoch.
return int(now)
