/** The conclusions of a probe from its results; the tests of the drivers run real programs. */
import { Buffer } from 'node:buffer';
import { describe, expect, test } from 'vitest';
import type { Command, Ending, Enforcement, SandboxSession } from '../contract.ts';
import { enforcementOf } from './enforcement.ts';
import { probe } from './probe.ts';

const MIB = 1 << 20;
const GUEST = `${['Inh', 'Prm', 'Eff', 'Bnd', 'Amb'].map((set) => `Cap${set}:\t0000000000000000\n`).join('')}NoNewPrivs:\t1\nSeccomp:\t2\n`;

type Answer = Partial<Ending['usage']> & { endedBy?: Ending['endedBy']; exitCode?: number };
/** The words that identify each program, and its ending when its limit holds. */
const HELD = {
  memoryBytes: ['| tail', { endedBy: 'out-of-memory', cpuMs: 20, peakMemoryBytes: 30 * MIB }],
  pids: ['sleep 9 & done', { exitCode: 2 }],
  cpuMs: ['while :; do :; done', { endedBy: 'cpu-limit' }],
  wallMs: ['sleep 9', { endedBy: 'wall-limit' }],
  outputBytes: ['yes', { endedBy: 'output-limit' }],
  fileBytes: ['head -c 9000 ', { exitCode: 153 }],
  diskBytes: ['> d$i', { exitCode: 1 }],
  cores: ['while :; do :; done & while', { cpuMs: 30, wallMs: 160 }],
} as const satisfies Record<string, readonly [string, Answer]>;
type Name = keyof typeof HELD;

const GROUPS = { version: 'v2', limitsCores: true } as unknown as NonNullable<
  Parameters<typeof enforcementOf>[0]['groups']
>;
const CLAIMED = enforcementOf(
  { groups: GROUPS },
  {
    disk: { enforced: true, by: 'size of a tmpfs' },
    network: { none: true, allowList: true, by: 'no interface' },
    isolates: true,
  },
);

/** A session whose limits hold, except for the given answers. */
function session(
  answers: Partial<Record<Name | 'network', Answer>> = {},
  rights = GUEST,
): Pick<SandboxSession, 'run'> {
  // The longest words first: one program may contain the words of another.
  const order = (Object.keys(HELD) as Name[]).toSorted(
    (a, b) => HELD[b][0].length - HELD[a][0].length,
  );
  return {
    async run({ argv }: Command) {
      const script = argv[2] ?? '';
      const name = script.includes('/proc/net')
        ? 'network'
        : order.find((each) => script.includes(HELD[each][0]));
      const held = name === undefined || name === 'network' ? {} : HELD[name][1];
      const answer: Answer = { ...held, ...(name === undefined ? {} : answers[name]) };
      const { endedBy = 'exit', exitCode = 0, ...usage } = answer;
      return await Promise.resolve({
        endedBy,
        exitCode,
        signal: null,
        usage: { cpuMs: 1, wallMs: 1, peakMemoryBytes: MIB, outputBytes: 0, ...usage },
        stdout: Buffer.from(script.includes('/proc/self/status') ? rights : ''),
        stderr: Buffer.alloc(0),
      });
    },
  };
}

async function tried(...how: Parameters<typeof session>): Promise<Enforcement> {
  return await probe(session(...how), CLAIMED);
}

describe('a probe', () => {
  test('in which every limit holds withdraws no claim', async () => {
    expect(await tried()).toEqual(CLAIMED);
    expect(await probe(session(), CLAIMED, false)).toEqual(CLAIMED);
  });

  test.each([
    ['memoryBytes', { endedBy: 'exit' }],
    ['pids', { exitCode: 0 }],
    ['cpuMs', { endedBy: 'wall-limit' }],
    ['wallMs', { endedBy: 'exit' }],
    ['outputBytes', { endedBy: 'exit' }],
    ['fileBytes', { exitCode: 0 }],
    ['diskBytes', { exitCode: 0 }],
    ['cores', { cpuMs: 250, wallMs: 160 }],
  ] as const)('takes back %s alone', async (name, answer) => {
    const { limits } = await tried({ [name]: answer });
    const taken = Object.entries(limits).filter(([, { enforced }]) => !enforced);
    expect(taken.map(([each]) => each)).toEqual([name]);
    expect(limits[name].fix).toBeDefined();
  });

  test('adds no claim, and tries no limit that was not claimed', async () => {
    const none = { groups: undefined, reason: 'no group', fix: 'delegate one' } as const;
    const claimed = enforcementOf(none, {
      disk: { enforced: false, by: 'no disk of its own', fix: 'use another' },
      network: { none: false, allowList: false, by: 'the network of the host' },
      isolates: false,
    });
    // Every program succeeds, and still no unclaimed limit is claimed.
    const { limits, accounting } = await probe(session(), claimed);
    expect(limits).toEqual(claimed.limits);
    expect(accounting).toBe('none');
  });

  test('reports that usage is not accounted when counters do not change', async () => {
    const { accounting } = await tried({
      memoryBytes: { endedBy: 'out-of-memory', cpuMs: 20, peakMemoryBytes: 0 },
    });
    expect(accounting).toBe('none');
  });

  test('accepts no untrusted work when a guest sees a network', async () => {
    const { network, untrusted } = await tried({ network: { exitCode: 1 } });
    expect([network.none, untrusted]).toEqual([false, false]);
    expect(network.by).toContain('a guest sees the network of the host');
  });

  test.each([
    ['a capability', GUEST.replace('Eff:\t0', 'Eff:\t8')],
    ['new privileges', GUEST.replace('Privs:\t1', 'Privs:\t0')],
    ['no filter', GUEST.replace('Seccomp:\t2', 'Seccomp:\t0')],
  ])('that leaves a guest %s fails', async (_what, rights) => {
    await expect(tried({}, rights)).rejects.toThrow(/a guest is left with rights/);
  });
});
