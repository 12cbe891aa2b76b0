/**
 * Rounds of faults in a fleet of real processes over a real Redis, each in a network namespace of its
 * own, during traffic, a rollout, a deploy and a revocation. A line of JSON for each round; ends with 1
 * at the first round that breaks what a fleet promises.
 *
 *   unshare --user --map-root-user --net --pid --fork --mount-proc --kill-child \
 *     node main.ts --rounds 224 --seed 1
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runRounds } from './rounds.ts';

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '14' },
    seed: { type: 'string', default: String(Date.now() % 2 ** 31) },
    kind: { type: 'string', multiple: true },
  },
});
/** The end of each member's log, in characters. */
const LOG_LENGTH = 20_000;
const folder = mkdtempSync(join(tmpdir(), 'skein-rounds-'));
try {
  const logs = await runRounds({
    folder,
    rounds: Number(values.rounds),
    seed: Number(values.seed),
    kinds: values.kind,
    log: (line) => console.log(JSON.stringify(line)),
  });
  for (const log of logs ?? []) console.error(log.slice(-LOG_LENGTH));
  if (logs !== undefined) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
