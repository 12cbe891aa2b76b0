/** The entry of the `skein-judge` command. */
import { enableCompileCache } from 'node:module';
import { setFlagsFromString } from 'node:v8';

// Threads that load TypeScript at once share WebAssembly code that V8 frees twice, about once in a
// thousand times (ThreadIsolation::UnregisterWasmAllocation aborts); it is a few kilobytes to keep.
setFlagsFromString('--no-wasm-code-gc');
enableCompileCache();
const { runCommandLine } = await import('./cli/run.ts');

const abort = new AbortController();
// The first signal ends the work and closes the sandboxes; a second one ends the process.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (abort.signal.aborted) process.exit(130);
    abort.abort();
  });
}
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  process.stderr.write(`error: stdout cannot be written: ${error.message}\n`);
  process.exit(2);
});

const { stdout, stderr } = process;
process.exitCode = await runCommandLine(process.argv.slice(2), {
  stdout,
  stderr,
  signal: abort.signal,
});
