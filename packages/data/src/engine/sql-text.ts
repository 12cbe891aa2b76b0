/** Texts of SQL. */

export function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function list(paths: readonly string[]): string {
  return `[${paths.map(quoted).join(', ')}]`;
}
