/** `skein-judge languages`: every language, and what is missing for those that cannot be judged. */
import { SkeinError } from '@skein/api';
import { LANGUAGES } from '../languages/languages.ts';
import { withSandbox } from './sandboxes.ts';
import type { Command } from './options.ts';

const MORE =
  '`sudo npm run provision -- --all-languages` in a clone installs all of them, on Debian and Ubuntu; the image judge-all has them too.';

export const runLanguages: Command = async (operands, options, terminal) => {
  const { stdout } = terminal;
  if (operands.length > 0) throw new SkeinError('USAGE', `languages takes no ${operands[0]}.`);
  return withSandbox(options, terminal, async (sandbox) => {
    const rows = LANGUAGES.map(({ code, name, extensions }) => {
      const toolchain = sandbox.toolchains.get(code);
      return { code, name, extensions, ...(toolchain ?? { available: false }) };
    });
    if (options.json) {
      stdout.write(`${JSON.stringify({ driver: sandbox.driver.name, languages: rows })}\n`);
      return 0;
    }
    stdout.write(`sandbox: ${sandbox.driver.name}\n`);
    for (const { code, name } of rows) {
      const toolchain = sandbox.toolchains.get(code);
      const state =
        toolchain?.available === true
          ? toolchain.version
          : `no toolchain: Debian package ${toolchain?.debianPackage ?? name}`;
      stdout.write(`${code.padEnd(12)} ${name.padEnd(16)} ${state}\n`);
    }
    if (rows.some(({ available }) => !available)) {
      stdout.write(`\n${MORE}\n`);
    }
    return 0;
  });
};
