/** JSON for `--json`: indented, but lists of plain values on one line, or a tensor would fill the screen. */

export function toJson(value: unknown): string {
  // Once through the standard writer, for toJSON methods and what JSON leaves out.
  return write(JSON.parse(JSON.stringify(value)) as unknown, '');
}

function write(value: unknown, indent: string): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const deeper = `${indent}  `;
  if (Array.isArray(value)) {
    const items = value as unknown[];
    if (items.every((item) => typeof item !== 'object' || item === null)) {
      return `[${items.map((item) => JSON.stringify(item)).join(', ')}]`;
    }
    return block(
      '[',
      items.map((item) => write(item, deeper)),
      ']',
      indent,
    );
  }
  const fields = Object.entries(value).map(
    ([key, field]) => `${JSON.stringify(key)}: ${write(field, deeper)}`,
  );
  return fields.length === 0 ? '{}' : block('{', fields, '}', indent);
}

function block(open: string, lines: readonly string[], close: string, indent: string): string {
  return `${open}\n${lines.map((line) => `${indent}  ${line}`).join(',\n')}\n${indent}${close}`;
}
