/** Members over mutual TLS; none has the memory for both models that a composition calls. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createClient, type Client } from '@skein/api/client';
import { Peer } from '@skein/fleet';
import { bodyBudget } from '@skein/http';
import { expect, onTestFinished, test } from 'vitest';
import { requireComponent } from '../../../../../scripts/testing/components.ts';
import { trustingFetch } from '../../../../cli/src/connection/trust.ts';
import {
  createAuthority,
  type Issued,
  temporaryFolder,
} from '../../../../http/src/tls/testing/authority.ts';
import { deployVersion, IN_PROCESS, startFleet } from '../../testing/fleet.ts';

const openssl = requireComponent('openssl');
const PIPELINE = join(import.meta.dirname, '../../../../serving/src/testing/pipeline.ts');
const KEY = '0123456789abcdef0123456789abcdef';
/** One model in a process of its own, and not two. */
const BUDGET = 100 * 2 ** 20;
const PATIENT = { timeout: 60_000 };

test.skipIf(openssl.skip)(
  'members with certificates call each other, for a composition too, and refuse others',
  { timeout: 180_000 },
  async () => {
    const folder = temporaryFolder();
    const authority = createAuthority(folder, 'fleet');
    const node = authority.issue('node');
    const caller = authority.issue('caller');
    const stranger = createAuthority(folder, 'other').issue('stranger');
    const tls = { ...node, clientAuthorities: authority.certificate };
    const fleet = await startFleet(2, { fleetKey: KEY, modelMemoryBytes: BUDGET, tls });
    onTestFinished(() => fleet.close());
    const text = (file: string): string => readFileSync(file, 'utf8');
    const trust = { ca: text(authority.certificate), cert: text(caller.certificate) };
    const fetch = await trustingFetch({ ...trust, key: text(caller.key) });
    const clients = fleet.nodes.map(({ url }) => createClient({ url, key: fleet.key, fetch }));
    const [client] = clients as [Client];

    await deployVersion({ client }, 'first', 1, IN_PROCESS, [8, 4]);
    await deployVersion({ client }, 'second', 1, IN_PROCESS, [4, 3]);
    const held = async (): Promise<string[][]> => {
      const { members } = await client.getFleet();
      return members.map(({ loaded }) => loaded.map(({ model }) => model).sort());
    };
    // One each: whichever node runs the composition, one of its calls goes to the other.
    const isShared = async (): Promise<boolean> => {
      const all = await held();
      return all.every(({ length }) => length === 1) && new Set(all.flat()).size === 2;
    };
    await expect.poll(isShared, PATIENT).toBe(true);
    const { version } = await client.importComposition({ name: 'both', modulePath: PIPELINE });
    await client.deploy({ name: 'both', version, settings: { objective: { latencyMs: 30_000 } } });
    const x = { shape: [1, 8], data: new Float32Array(8).fill(1) };
    const answers = clients.map(async (each) => {
      const ask = async (): Promise<readonly number[]> => {
        const { outputs } = await each.infer('both', { x });
        return outputs['y']!.shape;
      };
      await expect.poll(() => ask().catch(String), PATIENT).toEqual([1, 3]);
    });
    await Promise.all(answers);

    const quoteTo = async (of: Issued): Promise<unknown> => {
      const certificate = (): { cert: string; key: string } => ({
        cert: text(of.certificate),
        key: text(of.key),
      });
      const options = { key: KEY, certificate, clock: performance, random: Math.random };
      const peer = new Peer(fleet.nodes[0]!.url, {
        ...options,
        maxBytes: 1e6,
        budget: bodyBudget(1e6),
      });
      const request = {
        id: 'r',
        deployment: 'none',
        inputs: new Map(),
        arrivedAt: performance.now(),
        priority: 0,
        tenant: 'default',
        protocol: 'http' as const,
      };
      const quote = await peer.probe(request, 20_000);
      peer.close();
      return quote?.refusal?.code;
    };
    expect(await quoteTo(node)).toBe('MODEL_UNKNOWN');
    // It holds the key, and another authority has signed its certificate.
    expect(await quoteTo(stranger)).toBeUndefined();
  },
);
