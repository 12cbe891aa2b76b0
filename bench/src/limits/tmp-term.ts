import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startFleetUnderAttack } from './fleet-under-attack.ts';
for (let i = 0; i < 4; i++) {
  const node = await startFleetUnderAttack(mkdtempSync(join(tmpdir(), 'term-')));
  const until = performance.now() + 4000;
  let n = 0;
  while (performance.now() < until) { const r = await fetch(node.forwarded!.url, node.forwarded!.init as any); await r.text(); n++; await new Promise((r) => setTimeout(r, 20)); }
  const b = performance.now();
  await node.stop();
  console.log(n, 'ended in', (performance.now() - b).toFixed(0));
}
process.exit(0);
