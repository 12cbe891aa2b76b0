/**
 * Node's SQLite. Not an import: in a Node without it that would end before the package can name the
 * version that it needs.
 */
export const sqlite = process.getBuiltinModule('node:sqlite');
