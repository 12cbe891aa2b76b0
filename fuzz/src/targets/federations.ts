/** Messages between a coordinator and a site of a federation, and documents that a person reads from either. */
import { setImmediate as turn } from 'node:timers/promises';
import { SkeinError } from '@skein/api';
import { importIdentity, pseudonymOf } from '../../../packages/federation/src/identity/keys.ts';
import {
  invitationOf,
  invitationText,
} from '../../../packages/federation/src/identity/invitation.ts';
import { nextEntry } from '../../../packages/federation/src/ledger/entry.ts';
import type { LedgerExport } from '../../../packages/federation/src/ledger/export.ts';
import { ledgerText, verifyLedger } from '../../../packages/federation/src/ledger/verify.ts';
import { checkPlan } from '../../../packages/federation/src/plan/check.ts';
import { describePlan } from '../../../packages/federation/src/site/describe-plan.ts';
import { unmetTerms } from '../../../packages/federation/src/site/terms.ts';
import { draft, openPlan } from '../../../packages/federation/src/testing/plans.ts';
import { completePlan } from '../../../packages/federation/src/plan/complete.ts';
import { type Channel, openChannel } from '../../../packages/federation/src/transport/channel.ts';
import { memoryChunks, payloadIn } from '../../../packages/federation/src/transport/chunks.ts';
import type { ConnectionListener } from '../../../packages/federation/src/transport/connection.ts';
import {
  decodeFrame,
  emptyFrame,
  encodeFrame,
  type Message,
} from '../../../packages/federation/src/transport/messages.ts';
import type { Reservation } from '../../../packages/federation/src/transport/pace.ts';
import { digestOf, sha256 } from '@skein/api/canonical';
import { bytesInput } from '../engine/bytes.ts';
import { jsonInput } from '../engine/json.ts';
import type { Target } from '../engine/target.ts';

const isCoded = (error: unknown): boolean => error instanceof SkeinError;
const seed = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
const hex = (bytes: number): string => 'ab'.repeat(bytes);
const place = { round: 1, attempt: 0, phase: 'train' };

const MESSAGES: readonly Message[] = [
  { kind: 'hello', run: 'f-1', key: hex(32), nonce: hex(32) },
  { kind: 'challenge', key: hex(32), nonce: hex(32), signature: hex(64) },
  { kind: 'prove', signature: hex(64), invitation: `${hex(8)}.${hex(32)}` },
  { kind: 'welcome', name: 'a', role: 'site', plan: {} },
  { kind: 'accept', plan: hex(32), signature: hex(64) },
  { kind: 'task', place, remainingMs: 5, fields: { a: [1] } },
  { kind: 'answer', place, fields: {}, signature: hex(64), payload: { digest: hex(32), bytes: 9 } },
  { kind: 'want', digest: hex(32), from: 0, to: 9 },
  { kind: 'chunk', digest: hex(32), offset: 0 },
  { kind: 'refuse', code: 'INTERNAL', message: 'm', retryAfterMs: 1, place },
];

/** One frame of either side. */
export function openFederationFrames(): Target {
  return {
    seeds: MESSAGES.map((message) => encodeFrame(message, Buffer.from('body'))),
    structure: bytesInput(['SK\x01', '"place":{', '"payload":', 'null', '\xff\xff\xff\xff', '{}']),
    refuses: isCoded,
    run(input) {
      const { message, body } = decodeFrame(Uint8Array.from(input));
      const again = decodeFrame(encodeFrame(message, body));
      if (Buffer.compare(again.body, body) !== 0) throw new Error('another body');
    },
  };
}

/** Bytes of a payload that the receiver takes. */
const MOST_BYTES = 1 << 20;
/** Bytes of a window: a payload comes and goes in several. */
const WINDOW_BYTES = 100_000;
/** Frames that arrive of a connection after it was closed. */
const MOST_LATE = 2;
/** Bytes of payloads and chunks. Filled once: to make them anew took most of the time of an input. */
const FILL = new Uint8Array(300_000).fill(0x78);

/** `[{kind, …, body}, …]`: messages one after the other, with payloads that come and go in parts. */
export async function openFederationMessages(): Promise<Target> {
  const described = async (bytes: Uint8Array<ArrayBuffer>) => {
    return { digest: await sha256(bytes), bytes: bytes.length };
  };
  // Longer than what is sent in one frame.
  const payload = await described(FILL.slice(0, 270_000));
  const short = await described(Uint8Array.from(Buffer.from('abc')));
  const offered = payloadIn(FILL, await sha256(FILL));
  const answer = { kind: 'answer', place, fields: {}, signature: hex(64) };
  const chunk = (offset: number, count: number) => {
    return { kind: 'chunk', digest: payload.digest, offset, count };
  };
  const want = (from: number, to: number) => {
    return { kind: 'want', digest: offered.digest, from, to };
  };
  return {
    seeds: [
      [...MESSAGES],
      [{ ...answer, payload: short, body: 'abc' }],
      [{ ...answer, payload }, chunk(0, 131_072), chunk(131_072, 131_072), chunk(262_144, 7856)],
      [want(0, 70_000), want(70_000, FILL.length), want(FILL.length, FILL.length)],
    ].map(seed),
    structure: jsonInput([
      payload,
      short,
      payload.digest,
      offered.digest,
      262_144,
      MOST_BYTES + 1,
      ...MESSAGES,
    ]),
    refuses: (error) => isCoded(error) || error instanceof SyntaxError,
    async run(input) {
      const list: unknown = JSON.parse(Buffer.from(input).toString());
      let listener: ConnectionListener | undefined;
      let isClosed = false;
      const taken = new Set<Reservation>();
      const channel = openChannel(
        {
          send: () => {},
          listen: (by) => (listener = by),
          close: () => (isClosed = true),
        },
        memoryChunks(MOST_BYTES),
        {
          pace: {
            take(bytes, start) {
              const share = {
                bytes: Math.min(bytes, WINDOW_BYTES),
                free: () => void taken.delete(share),
              };
              taken.add(share);
              start(share);
            },
          },
        },
      );
      channel.send({ kind: 'content' }, offered).catch(() => {});
      let late = 0;
      for (const item of Array.isArray(list) ? list : []) {
        if (isClosed && ++late > MOST_LATE) break;
        const { body = '', count = 0, ...message } = Object(item) as Record<string, unknown>;
        const length = typeof count === 'number' ? Math.min(FILL.length, Math.max(0, count)) : 0;
        const content = Buffer.from(typeof body === 'string' ? body : '');
        let frame: Uint8Array<ArrayBuffer>;
        try {
          const made = emptyFrame(message as Message, content.length + Math.floor(length));
          made.body.set(content);
          made.body.set(FILL.subarray(0, length), content.length);
          frame = made.bytes;
        } catch {
          // There is no such kind.
          continue;
        }
        listener!.onFrame(frame);
        await turn();
      }
      listener!.onClose();
      const received = await bytesFrom(channel).catch((error: unknown) => Object(error) as Error);
      await turn();
      if (taken.size > 0) throw new Error('a closed channel keeps its memory');
      if (typeof received !== 'number') throw received;
      if (received > 2 * MOST_BYTES && !isClosed) throw new Error('more was received than sent');
    },
  };
}

/** @returns how many a channel has received when it has closed. @throws what closed it. */
async function bytesFrom(channel: Channel): Promise<number> {
  let received = 0;
  for (let at = await channel.receive(); at !== undefined; at = await channel.receive()) {
    received += at.payload?.bytes ?? 0;
  }
  return received;
}

/** A plan, as a site gets it from its coordinator. */
export function openFederationPlans(): Target {
  const plans = [
    openPlan(),
    completePlan(draft()),
    completePlan(draft({ privacy: { mode: 'client', noise: 2 }, collusion: { sites: 1 } })),
    completePlan(
      draft({
        data: {
          features: [{ name: 'pixels', kind: 'array', type: 'uint8', shape: [1, 8, 8] }],
          target: { name: 'kind', kind: 'category', classes: ['cat', 'dog', 'owl'] },
        },
        task: 'classification',
      }),
    ),
    completePlan(
      draft({
        rounds: 1,
        strategy: {
          name: 'statistics',
          tables: [
            [{ kind: 'score' }, { kind: 'label' }, { kind: 'column', name: 'sex' }],
            [{ kind: 'column', name: 'age', borders: [0, 40, 60, 100] }],
          ],
          bySite: true,
          patient: { column: 'patient', rows: 2 },
        },
        privacy: { mode: 'patient', noise: 9 },
      }),
    ),
  ];
  return {
    seeds: plans.map(seed),
    structure: jsonInput([
      'patient',
      'client',
      'pairwise',
      'committee',
      1e-9,
      255,
      256,
      'median',
      'statistics',
      'array',
      'uint8',
      'column',
      'age',
      { kind: 'score' },
      { kind: 'label' },
    ]),
    refuses: (error) => isCoded(error) || error instanceof SyntaxError,
    run(input) {
      const plan = checkPlan(JSON.parse(Buffer.from(input).toString()));
      const { facts } = describePlan(plan);
      unmetTerms(plan, { maxEpsilon: 1, minSites: 3 });
      if (facts.some(([, text]) => text.includes('undefined')))
        throw new Error('a fact is missing');
    },
  };
}

/** The same in every process, so that an input can be made again: Ed25519 in PKCS #8 (RFC 8410). */
const KEY = Uint8Array.from(Buffer.from(`302e020100300506032b657004220420${hex(32)}`, 'hex'));

/** An exported ledger, and an invitation where the file is a text. */
export async function openFederationLedgers(): Promise<Target> {
  const coordinator = await importIdentity(KEY);
  const plan = openPlan();
  const digest = await digestOf(plan);
  const at = '2030-01-01T00:00:00.000Z';
  const entry = (before: LedgerExport['entries'][number] | undefined, event: object) =>
    nextEntry(coordinator, before, { run: 'f-1', at, event: event as never, witnesses: [] });
  const started = { kind: 'started', plan: digest, model: plan.model.digest, terms: {} };
  const first = await entry(undefined, started);
  // A site of the same key.
  const { key } = coordinator;
  const site = await pseudonymOf(key);
  const signature = await coordinator.sign('accept', { run: 'f-1', plan: digest });
  const accepted = { kind: 'accepted', site, key, role: 'site', plan: digest, signature };
  const second = await entry(first, accepted);
  const third = await entry(second, { kind: 'opened', round: 0, attempt: 0, roster: [site] });
  const entries = [first, second, third];
  const head = { entries: entries.length, hash: third.hash };
  const ledger: LedgerExport = {
    format: 'skein-ledger/1',
    coordinator: coordinator.key,
    plan,
    entries,
    head: { ...head, signature: await coordinator.sign('head', head) },
  };
  await verifyLedger(ledgerText(ledger));
  const invitation = { run: 'f-1', coordinator: coordinator.key, id: hex(8), secret: hex(32) };
  return {
    seeds: [ledger, invitationText(invitation)].map(seed),
    structure: jsonInput(['started', 'ended', hex(32), 'skein-join_', 'skein-join_e30']),
    refuses: (error) => isCoded(error) || error instanceof SyntaxError,
    async run(input) {
      const value: unknown = JSON.parse(Buffer.from(input).toString());
      if (typeof value === 'string') return void invitationOf(value);
      const verified = await verifyLedger(inOrder(value) ?? Buffer.from(input).toString());
      if (verified.entries !== entries.length) throw new Error(`${verified.entries} entries`);
    },
  };
}

/** Most changes would fail at the form of the file, which is corrected; what is nested too deep has none. */
function inOrder(value: unknown): string | undefined {
  try {
    return ledgerText(value as LedgerExport);
  } catch {
    return undefined;
  }
}
