/** Reports as they leave a device, taken by a server that loses answers. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { DevicePermission, DeviceReport } from '@skein/api';
import { deviceInvitationText, reportBytes } from '@skein/api/devices';
import { isSignatureOf } from '@skein/api/signing-key';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { memoryStorage } from '../update/testing/memory-storage.ts';
import { answerCounts } from './counts.ts';
import { HOLDS_MS, startReporter, type Reporter } from './reporter.ts';

interface Sent {
  readonly sequence: number;
  readonly report: DeviceReport;
  readonly signature: string;
}

const ID = 'a'.repeat(16);
const HELD: DevicePermission = { upTo: 6, first: true, why: 'version 7 is for others' };

let url: string;
let key: string;
let sent: Sent[];
let isLosing: boolean;
let permission: DevicePermission | null;
let close: () => Promise<unknown>;
let reporters: Reporter[];

beforeEach(async () => {
  [sent, isLosing, permission, reporters] = [[], false, null, []];
  const server = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      const isEnrolment = request.url === '/api/v1/devices';
      const body = JSON.parse(text) as Sent & { key: string };
      if (isEnrolment) key = body.key;
      else sent.push(body);
      // The node has the report, and its answer is lost.
      if (!isEnrolment && isLosing) return response.destroy();
      const answer = isEnrolment
        ? { id: ID, name: 'till', labels: {}, everyMs: 60_000 }
        : { everyMs: 60_000, permission };
      response.setHeader('content-type', 'application/json').end(JSON.stringify(answer));
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  close = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };
});
afterEach(async () => {
  for (const reporter of reporters) reporter.close();
  await close();
});

const counts = answerCounts();
const report = (): DeviceReport => ({
  model: 'risk',
  version: 6,
  digest: null,
  trial: false,
  published: 7,
  failed: [],
  latency: null,
  ...counts.counted,
  counts: counts.take(),
});
const invitation = (): string =>
  `${url}/#${deviceInvitationText({ id: 'b'.repeat(16), secret: 'c'.repeat(64) })}`;
const open = async (storage = memoryStorage(), now?: () => number): Promise<Reporter> => {
  const reporter = await startReporter({ storage, invitation: invitation(), report, now });
  reporters.push(reporter);
  return reporter;
};

it('sends a report again as it is until it is answered, so that no answer is counted twice', async () => {
  const reporter = await open();
  await reporter.send();
  counts.ran(6, 3, false);
  isLosing = true;
  await expect(reporter.send()).rejects.toMatchObject({ code: 'NODE_UNREACHABLE' });
  expect(reporter.fault).toMatchObject({ code: 'NODE_UNREACHABLE' });
  counts.ran(6, 3, false);
  isLosing = false;
  await reporter.send();
  await reporter.send();
  const [lost, again, next] = sent.slice(-3);
  expect(again).toEqual(lost);
  expect(next!.sequence).toBeGreaterThan(again!.sequence);
  expect([again, next].map((each) => each!.report.counts[0]?.requests)).toEqual([1, 1]);
  for (const { sequence, report: content, signature } of sent) {
    expect(await isSignatureOf(key, reportBytes(ID, sequence, content), signature)).toBe(true);
  }
  expect(reporter.fault).toBeUndefined();
});

it('keeps its permission over a restart, and for a week without its node', async () => {
  const storage = memoryStorage();
  let time = Date.now();
  const now = (): number => time;
  permission = HELD;
  const first = await open(storage, now);
  await first.send();
  first.close();
  await close();
  const second = await open(storage, now);
  await second.refresh();
  expect(second.permission).toEqual(HELD);
  expect(second.device).toEqual({ id: ID, name: 'till' });
  time += HOLDS_MS + 1;
  expect(second.permission).toBeNull();
  close = async () => undefined;
});
