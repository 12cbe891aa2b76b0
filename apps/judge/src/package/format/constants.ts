/** Replaces `{{name}}` by the constant of that name; other braces are unchanged. */
export function substitute(text: string, constants: ReadonlyMap<string, string>): string {
  if (constants.size === 0) return text;
  return text.replaceAll(
    /\{\{([a-zA-Z_][a-zA-Z0-9_]*)\}\}/g,
    (all, name: string) => constants.get(name) ?? all,
  );
}
