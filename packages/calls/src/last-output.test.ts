import { expect, it } from 'vitest';
import { LastOutput } from './last-output.ts';

const OUT_OF_MEMORY = `
<--- Last few GCs --->

[4711:0x2a4c6000]       45 ms: Scavenge 5.2 (6.1) -> 4.8 (7.1) MB, pooled: 0 MB, 0.53 / 0.00 ms task;
[4711:0x2a4c6000]       61 ms: Mark-Compact 6.1 (7.1) -> 5.0 (7.6) MB, pooled: 0 MB, 3.1 / 0.0 ms
FATAL ERROR: MarkCompactCollector: young object promotion failed Allocation failed - JavaScript heap out of memory
----- Native stack trace -----

 1: 0x931db0  [/opt/node/bin/node]
 2: 0x75968e node::OOMErrorHandler(char const*, v8::OOMDetails const&) [/opt/node/bin/node]
12: 0x7f752709e8d1  [/lib/x86_64-linux-gnu/libc.so.6]
`;

it('has the reason that V8 gives, and none of its addresses', () => {
  const output = new LastOutput();
  output.add('warming up\n');
  for (const piece of OUT_OF_MEMORY.match(/[^]{1,7}/g)!) output.add(piece);
  expect(output.reason).toBe(
    'warming up\n\nFATAL ERROR: MarkCompactCollector: young object promotion failed Allocation failed - JavaScript heap out of memory',
  );
});

it('has the end of what is long, and keeps what is no report', () => {
  const output = new LastOutput();
  output.add('x'.repeat(100_000));
  output.add('\n1: first\n[2026] second');
  expect(output.reason).toHaveLength(2000);
  expect(output.reason).toMatch(/^x+\n1: first\n\[2026\] second$/);
});
