/** A process with one session in a child, for a test that kills it. Prints the child's pid when the child is idle or busy, as asked. */
import { nativeRuntime } from '../native/native-runtime.ts';
import { counting, rounds } from './models.ts';
import { childrenOf } from './processes.ts';

const session = await nativeRuntime.open(
  { bytes: counting() },
  { device: 'cpu', threads: 1, isolation: 'process' },
);
await session.run(rounds(1));
if (process.argv[2] === 'busy') void session.run(rounds(1e9));
console.log(childrenOf(process.pid)[0]);
