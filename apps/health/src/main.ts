/** The entry of the `skein-health` command. */
import { enableCompileCache } from 'node:module';

enableCompileCache();
const { runCommandLine } = await import('./cli/run.ts');

const abort = new AbortController();
// The first signal closes the service; a second one ends the process.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (abort.signal.aborted) process.exit(130);
    abort.abort();
  });
}
const { stdout, stderr } = process;
process.exitCode = await runCommandLine(process.argv.slice(2), {
  stdout,
  stderr,
  signal: abort.signal,
});
