/**
 * The entry of the `skein` command: installs the signal handlers, caches compiled code, then runs
 * the command.
 */
import { enableCompileCache } from 'node:module';
import { setFlagsFromString } from 'node:v8';
import { restartWithFlags } from './process/node-flags.ts';
import { listenForInterruption } from './process/interruption.ts';

// Before signals are listened for: a restart would lose one that has arrived.
if (process.argv[2] === 'up') restartWithFlags();
if (process.argv[2] === 'train') {
  const { restartWithHugePages } = await import('@skein/train/huge-pages');
  restartWithHugePages();
}
listenForInterruption();

// Threads that load TypeScript at once share WebAssembly code that V8 frees twice, about once in a
// thousand times (ThreadIsolation::UnregisterWasmAllocation aborts); it is a few kilobytes to keep.
setFlagsFromString('--no-wasm-code-gc');
enableCompileCache();
const { runProcess } = await import('./process/process.ts');
await runProcess();
