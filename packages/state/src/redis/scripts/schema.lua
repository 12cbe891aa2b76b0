-- @returns the schema that is written.
return schema()
