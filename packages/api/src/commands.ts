/** Commands in texts for users: `npx skein …` where npm started the process, and `skein …` elsewhere. */

export type Program = 'skein' | 'npx skein';

/** The name under which users of this process find the program. */
export function programOf(env: Readonly<Record<string, string | undefined>>): Program {
  // npm and npx note it in the environment; then `skein` itself is not on the PATH.
  return env['npm_command'] === undefined ? 'skein' : 'npx skein';
}

/** @param text in which `skein …` is what the user types. */
export function commandsBy(program: string, text: string): string {
  return text.replaceAll(/(?<=^|[\s`(])skein (?=[a-z])/g, () => `${program} `);
}
