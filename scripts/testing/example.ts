/** Runs the command of an example as a user does. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';

export interface ExampleOutcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** In the package's folder, with the user's in INIT_CWD, as npm does. @param folder of the example, which has a `main.ts`. */
export function runExample(folder: string, ...args: string[]): Promise<ExampleOutcome> {
  const env = { ...process.env, INIT_CWD: join(import.meta.dirname, '../..') };
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      ['main.ts', ...args],
      { cwd: folder, env },
      (_, stdout, stderr) => resolve({ code: child.exitCode ?? -1, stdout, stderr }),
    );
  });
}
