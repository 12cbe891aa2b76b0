import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it } from 'vitest';
import {
  fillDisk,
  mountTinyDisk,
  tinyDisk,
} from '../../../../packages/state/src/testing/tiny-disk.ts';
import { testFolder } from '../../../../scripts/testing/folder.ts';
import { entryOf, FIRST, type AuditFacts } from './audit-entry.ts';
import { auditEventOf } from './audit-event.ts';
import { KEPT_DAYS, openAuditLog, readAuditLog, verifyChain } from './audit-log.ts';

const DAY_MS = 86_400_000;
const START = Date.parse('2026-01-15T10:00:00Z');
const facts = (why = 'test'): AuditFacts => ({ kind: 'refusal', why, uncounted: 0 });

async function writeDays(folder: string, days: readonly number[]): Promise<void> {
  for (const day of days) {
    const log = await openAuditLog({ folder, now: () => START + day * DAY_MS });
    await log.append(facts(`day ${day}`));
    await log.close();
  }
}

it('chains entries over batches, days and restarts', async () => {
  const folder = testFolder();
  let now = START;
  const log = await openAuditLog({ folder, now: () => now });
  const first = await Promise.all(Array.from({ length: 50 }, () => log.append(facts())));
  expect(first.map(({ n }) => n)).toEqual(first.map((_, i) => i + 1));
  now += DAY_MS;
  await log.append(facts('next day'));
  await log.close();
  await expect(log.append(facts())).rejects.toMatchObject({ code: 'HEALTH_AUDIT' });
  await writeDays(folder, [2]);
  expect(readdirSync(folder)).toEqual(['2026-01-15.jsonl', '2026-01-16.jsonl', '2026-01-17.jsonl']);
  expect(await verifyChain(folder)).toMatchObject({ entries: 52, first: 1 });
});

it('finds an entry that was edited, taken out, put in, or moved', async () => {
  const folder = testFolder();
  await writeDays(folder, [0, 0, 0]);
  const path = join(folder, '2026-01-15.jsonl');
  const text = readFileSync(path, 'utf8');
  const lines = text.split('\n').slice(0, -1);
  const verdict = async (changed: readonly string[]) => {
    writeFileSync(path, changed.map((line) => `${line}\n`).join(''));
    return verifyChain(folder).then(
      () => 'intact',
      ({ message }: Error) => message,
    );
  };
  expect(await verdict(lines)).toBe('intact');
  expect(await verdict([lines[0]!, lines[1]!.replace('day 0', 'day 9'), lines[2]!])).toMatch(
    /entry 2 was edited/,
  );
  expect(await verdict([lines[0]!, lines[2]!])).toMatch(/entry 3 does not follow entry 1/);
  expect(await verdict([lines[1]!, lines[0]!, lines[2]!])).toMatch(/does not follow/);
  const forged = JSON.stringify(entryOf(2, '2026-01-15T10:00:00.000Z', facts('forged'), FIRST));
  expect(await verdict([lines[0]!, forged, lines[2]!])).toMatch(/entry 2 does not follow/);
  expect(await verdict([lines[0]!, 'x', lines[2]!])).toMatch(/2026-01-15.jsonl:2 is no entry/);
  await verdict([lines[0]!, lines[1]!.replace('day 0', 'day 9')]);
  await expect(openAuditLog({ folder })).rejects.toMatchObject({ code: 'HEALTH_AUDIT' });
});

it('cuts the line that a dying writer left, and continues', async () => {
  const folder = testFolder();
  await writeDays(folder, [0]);
  appendFileSync(join(folder, '2026-01-15.jsonl'), '{"n":2,"recorded":"2026');
  await writeDays(folder, [0]);
  expect(await verifyChain(folder)).toMatchObject({ entries: 2 });
});

it('reads lines that lie in two blocks of the file', async () => {
  const folder = testFolder();
  const log = await openAuditLog({ folder });
  await Promise.all(Array.from({ length: 1000 }, (_, i) => log.append(facts(`entry ${i}`))));
  await log.close();
  expect(await verifyChain(folder)).toMatchObject({ entries: 1000, first: 1 });
  const again = await openAuditLog({ folder });
  expect(await again.append(facts('after'))).toMatchObject({ n: 1001 });
  await again.close();
});

it('never goes back in time, and keeps what must be kept', async () => {
  const folder = testFolder();
  await writeDays(folder, [0, 1, 0]);
  const recorded: string[] = [];
  for await (const entry of readAuditLog(folder)) recorded.push(entry.recorded);
  expect(recorded).toEqual(recorded.toSorted());
  await writeDays(folder, [KEPT_DAYS]);
  expect(readdirSync(folder)).toContain('2026-01-15.jsonl');
  await writeDays(folder, [KEPT_DAYS + 2]);
  expect(readdirSync(folder)).not.toContain('2026-01-15.jsonl');
  expect(await verifyChain(folder)).toMatchObject({ first: 2, entries: 4 });
});

it('is exported as AuditEvents', async () => {
  const event = auditEventOf(
    entryOf(
      7,
      '2026-01-15T10:00:00.000Z',
      {
        kind: 'inference',
        caller: 'https://ehr',
        user: 'Practitioner/7',
        card: 'c',
        site: 'va',
        version: 'a'.repeat(64),
        set: ['ill'],
      },
      FIRST,
    ),
    'Skein heart',
  );
  expect(event).toMatchObject({
    resourceType: 'AuditEvent',
    recorded: '2026-01-15T10:00:00.000Z',
    agent: [
      { requestor: true, who: { identifier: { value: 'Practitioner/7' } } },
      { requestor: false },
    ],
    source: { observer: { display: 'Skein heart' } },
  });
  expect(event.entity[0]!.detail).toContainEqual({ type: 'set', valueString: 'ill' });
});

it('loses no entry that was acknowledged when its process is killed', async () => {
  const folder = testFolder();
  const program = `
    const { openAuditLog } = await import(${JSON.stringify(new URL('audit-log.ts', import.meta.url).href)});
    const log = await openAuditLog({ folder: ${JSON.stringify(folder)} });
    for (;;) {
      const entries = await Promise.all(Array.from({ length: 8 }, () => log.append(${JSON.stringify(facts())})));
      process.stdout.write(entries.map(({ n, hash }) => n + ' ' + hash + '\\n').join(''));
    }`;
  const acknowledged = new Map<number, string>();
  for (let run = 0; run < 3; run++) {
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let left = 40 + 17 * run;
    for await (const line of createInterface({ input: child.stdout })) {
      const [n, hash] = line.split(' ');
      if (hash?.length === 64) acknowledged.set(Number(n), hash);
      if (--left === 0) child.kill('SIGKILL');
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
  const kept = new Map<number, string>();
  await (await openAuditLog({ folder })).close();
  await verifyChain(folder, ({ n, hash }) => void kept.set(n, hash));
  expect(acknowledged.size).toBeGreaterThan(100);
  for (const [n, hash] of acknowledged) expect([n, kept.get(n)]).toEqual([n, hash]);
});

describe.skipIf(tinyDisk.skip)(`on a full disk ${tinyDisk.reason}`, () => {
  it('refuses, loses nothing, and continues when there is space', async () => {
    using disk = mountTinyDisk('size=256k');
    const folder = join(disk.folder, 'audit');
    const log = await openAuditLog({ folder });
    await log.append(facts('before'));
    const ballast = join(disk.folder, 'ballast');
    fillDisk(ballast);
    // The last block may take a few more.
    let refused: unknown;
    for (let i = 0; i < 100 && refused === undefined; i++) {
      await log.append(facts('x'.repeat(200))).catch((error: unknown) => (refused = error));
    }
    expect(refused).toMatchObject({
      code: 'HEALTH_AUDIT',
      message: expect.stringContaining('ENOSPC'),
    });
    const [name] = readdirSync(folder);
    expect(readFileSync(join(folder, name!), 'utf8')).toMatch(/\n$/);
    const { size } = statSync(join(folder, name!));
    rmSync(ballast);
    const { n } = await log.append(facts('after'));
    await log.close();
    expect(statSync(join(folder, name!)).size).toBeGreaterThan(size);
    expect(await verifyChain(folder)).toMatchObject({ entries: n });
  });
});
