/**
 * The cost of callers to a node: memory over idle during attacks without a key, the latency of a
 * canary meanwhile, and how long any single request of a caller with a key blocks the node's main
 * thread.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BenchReport, Measure } from '../harness/report.ts';
import { ATTACKS, measureAttack } from './attacks.ts';
import { measureGenerated } from './generated.ts';
import { measureRequests } from './requests.ts';

interface Options {
  readonly quick: boolean;
  /** How long the generator of bodies runs; absent: an hour, and 40 s in quick runs. */
  readonly seconds?: number | undefined;
  readonly progress: (line: string) => void;
}

const ATTACK_MS = 60_000;
const QUICK_MS = 3000;
const GENERATOR_S = 3600;
const QUICK_GENERATOR_S = 40;
const SUMMARY: readonly Measure[] = [
  {
    key: 'memory_over_idle_mib',
    what: 'memory over idle, any attack without a key',
    unit: ' MiB',
    target: { atMost: 128 },
  },
  {
    key: 'blocked_ms',
    what: 'longest block of the event loop by one request with a key',
    unit: ' ms',
    target: { atMost: 100 },
  },
  {
    key: 'longest_turn_ms',
    what: 'longest turn by one generated request, any face',
    unit: ' ms',
    target: { atMost: 80 },
  },
  {
    key: 'tenant_share',
    what: 'memory of 60 generated requests of one tenant, as a part of its share',
    unit: '',
    target: { atMost: 1 },
  },
  {
    key: 'canary_ms',
    what: 'longest answer of a health check during an attack',
    unit: ' ms',
    target: null,
  },
];

export async function benchLimits({ quick, seconds, progress }: Options): Promise<BenchReport> {
  const folder = await mkdtemp(join(tmpdir(), 'skein-limits-'));
  const measures: Measure[] = [];
  const results: Record<string, number> = {};
  const record = (key: string, what: string, unit: string, value: number): void => {
    measures.push({ key, what, unit, target: null });
    results[key] = value;
  };
  try {
    for (const [index, attack] of ATTACKS.entries()) {
      progress(attack.name);
      const lastsMs = quick ? QUICK_MS : ATTACK_MS;
      const { overIdleMib, blockedMs, canaryMs } = await measureAttack(attack, folder, lastsMs);
      record(`memory_${index}`, attack.name, ' MiB', overIdleMib);
      record(`canary_${index}`, 'its canary', ' ms', canaryMs);
      record(`block_${index}`, 'its longest block of the event loop', ' ms', blockedMs);
      if (attack.hasKey !== true) {
        results['memory_over_idle_mib'] = Math.max(
          results['memory_over_idle_mib'] ?? 0,
          overIdleMib,
        );
      }
      results['canary_ms'] = Math.max(results['canary_ms'] ?? 0, canaryMs);
      progress(`  ${overIdleMib.toFixed(0)} MiB over idle, canary ${canaryMs.toFixed(0)} ms`);
    }
    progress('requests with a key');
    for (const { name, blockedMs } of await measureRequests(progress)) {
      record(`blocked_${measures.length}`, name, ' ms', blockedMs);
      results['blocked_ms'] = Math.max(results['blocked_ms'] ?? 0, blockedMs);
    }
    progress('generated bodies');
    const seed = Math.floor(Math.random() * 2 ** 31);
    progress(`  seed ${seed}`);
    const lasts = seconds ?? (quick ? QUICK_GENERATOR_S : GENERATOR_S);
    const { turns, tenantShare } = await measureGenerated(lasts, seed, progress);
    for (const [face, ms] of Object.entries(turns)) {
      record(`turn_${face}`, `longest turn by a generated request: ${face}`, ' ms', ms);
      results['longest_turn_ms'] = Math.max(results['longest_turn_ms'] ?? 0, ms);
    }
    results['tenant_share'] = tenantShare;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return {
    name: 'limits',
    peer: 'none; a node and its attackers',
    measures: [...measures, ...SUMMARY],
    results,
    details: {},
  };
}
