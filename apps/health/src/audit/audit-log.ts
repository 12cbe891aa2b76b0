/**
 * A chained log that is on the disk before its writer continues.
 *
 *     append ─┐
 *     append ─┼─► batch ─► one write ─► fdatasync ─► all of the batch resolve
 *     append ─┘
 *
 * Appends that arrive during a write form the next batch: one fdatasync covers them all. If a batch cannot be
 * written, all of it rejects with HEALTH_AUDIT, the file is cut back to its last durable byte, and the next
 * append tries again. So a full disk stops answers and loses no entry, and a freed one needs no restart.
 *
 * A file holds one day. `kill -9` in a write leaves a torn last line, which no caller was promised; opening cuts it.
 * A chain shows edits and gaps but not a missing end: each card carries its entry's number and hash.
 */
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { SkeinError } from '@skein/api';
import { AuditEntry, entryOf, FIRST, hashOf, type AuditFacts } from './audit-entry.ts';
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';

/** Six months, in days, as Article 19 of Regulation (EU) 2024/1689 asks at least. */
export const KEPT_DAYS = 184;
const DAY_MS = 86_400_000;
const NEWLINE = 0x0a;
/** Bytes of a line; an entry has a few hundred. */
const LARGEST_LINE = 2 ** 16;
const FILE = /^(\d{4}-\d\d-\d\d)\.jsonl$/;

export interface AuditLog {
  /** Resolves when the entry is durable. @throws SkeinError HEALTH_AUDIT. */
  append(facts: AuditFacts): Promise<AuditEntry>;
  /** Waits for what was appended. Idempotent. */
  close(): Promise<void>;
}

export interface AuditOptions {
  readonly folder: string;
  /** Milliseconds since 1970. */
  readonly now?: (() => number) | undefined;
}

interface Waiting {
  readonly facts: AuditFacts;
  readonly resolve: (entry: AuditEntry) => void;
  readonly reject: (error: unknown) => void;
}

interface OpenFile {
  readonly day: string;
  readonly handle: FileHandle;
  /** Bytes that are durable. */
  length: number;
}

/** @throws SkeinError HEALTH_AUDIT when the folder cannot be used, or its last entry was changed. */
export async function openAuditLog({ folder, now = Date.now }: AuditOptions): Promise<AuditLog> {
  await mkdir(folder, { recursive: true, mode: 0o700 }).catch(refuse);
  let last = await lastEntry(folder);
  await prune(folder, now()).catch(refuse);
  let file: OpenFile | undefined;
  let waiting: Waiting[] = [];
  let writing: Promise<void> | undefined;
  let isClosed = false;

  async function fileOf(day: string): Promise<OpenFile> {
    if (file?.day === day) return file;
    await file?.handle.close();
    file = undefined;
    const handle = await open(join(folder, `${day}.jsonl`), 'a', 0o600);
    try {
      await syncFolder(folder);
      file = { day, handle, length: (await handle.stat()).size };
      return file;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  async function write(batch: readonly Waiting[]): Promise<void> {
    let previous = last;
    const recorded = new Date(
      Math.max(now(), Date.parse(last?.recorded ?? '1970-01-01')),
    ).toISOString();
    const entries = batch.map(({ facts }) => {
      previous = entryOf((previous?.n ?? 0) + 1, recorded, facts, previous?.hash ?? FIRST);
      return previous;
    });
    try {
      const day = recorded.slice(0, 10);
      if (file !== undefined && file.day !== day) await prune(folder, now());
      const to = await fileOf(day);
      // An earlier batch may have left bytes behind its last durable one.
      await to.handle.truncate(to.length);
      const bytes = Buffer.from(entries.map((entry) => `${JSON.stringify(entry)}\n`).join(''));
      await to.handle.appendFile(bytes);
      await to.handle.datasync();
      to.length += bytes.length;
    } catch (cause) {
      await file?.handle.truncate(file.length).catch(() => undefined);
      const error = refusal(cause);
      for (const { reject } of batch) reject(error);
      return;
    }
    last = previous;
    batch.forEach(({ resolve }, i) => resolve(entries[i]!));
  }

  async function drain(): Promise<void> {
    while (waiting.length > 0) {
      const batch = waiting;
      waiting = [];
      await write(batch);
    }
    writing = undefined;
  }

  return {
    append(facts) {
      if (isClosed) return Promise.reject(refusal(new Error('the log is closed')));
      return new Promise((resolve, reject) => {
        waiting.push({ facts, resolve, reject });
        writing ??= drain();
      });
    },
    async close() {
      isClosed = true;
      await writing;
      await file?.handle.close();
      file = undefined;
    },
  };
}

/** Reads the entries of a folder in their order, in blocks: a busy day has more than a text can hold. @throws SkeinError HEALTH_AUDIT at a line that is none. */
export async function* readAuditLog(folder: string): AsyncGenerator<AuditEntry> {
  for (const name of await filesOf(folder)) {
    let number = 0;
    for await (const line of linesOf(join(folder, name))) {
      number++;
      const entry = parse(line);
      if (entry === undefined) throw changed(`${name}:${number} is no entry`);
      yield entry;
    }
  }
}

/** Lines with their newline: behind the last one is nothing, or a line that was torn by the end of its writer. */
async function* linesOf(path: string): AsyncGenerator<Buffer> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const block of createReadStream(path)) {
    const bytes = Buffer.concat([rest, block as Buffer]);
    let from = 0;
    for (let end = bytes.indexOf(NEWLINE); end !== -1; end = bytes.indexOf(NEWLINE, from)) {
      yield bytes.subarray(from, end);
      from = end + 1;
    }
    rest = bytes.subarray(from);
    if (rest.length > LARGEST_LINE) throw changed(`a line has more than ${LARGEST_LINE} bytes`);
  }
}

export interface Chain {
  readonly entries: number;
  /** Number of the oldest entry that is kept. */
  readonly first: number;
  readonly head: string;
}

/** Checks every hash and number. @throws SkeinError HEALTH_AUDIT, naming the entry. */
export async function verifyChain(
  folder: string,
  visit: (entry: AuditEntry) => void = () => undefined,
): Promise<Chain> {
  let before: AuditEntry | undefined;
  let first = 1;
  let entries = 0;
  for await (const entry of readAuditLog(folder)) {
    if (before === undefined) {
      first = entry.n;
      if (entry.n === 1 && entry.previous !== FIRST) throw changed('entry 1 follows another one');
    } else if (entry.n !== before.n + 1 || entry.previous !== before.hash) {
      throw changed(`entry ${entry.n} does not follow entry ${before.n}`);
    }
    if (hashOf(entry) !== entry.hash) throw changed(`entry ${entry.n} was edited`);
    entries++;
    visit(entry);
    before = entry;
  }
  return { entries, first, head: before?.hash ?? FIRST };
}

async function lastEntry(folder: string): Promise<AuditEntry | undefined> {
  const names = (await filesOf(folder)).toReversed();
  for (const name of names) {
    const path = join(folder, name);
    const { bytes, from, size } = await tailOf(path).catch(refuse);
    const end = bytes.lastIndexOf(NEWLINE) + 1;
    // A torn line is shorter than a whole one, so the tail has the newline before it.
    if (end === 0 && from > 0) throw changed(`the last line of ${name} was edited`);
    if (from + end < size) await cut(path, from + end);
    if (end === 0) continue;
    const start = bytes.lastIndexOf(NEWLINE, end - 2) + 1;
    const entry = parse(bytes.subarray(start, end - 1));
    if (entry === undefined || hashOf(entry) !== entry.hash) {
      throw changed(`the last line of ${name} was edited`);
    }
    return entry;
  }
  return undefined;
}

/** The end of a file: at least its last whole line, and a torn one. */
async function tailOf(path: string): Promise<{ bytes: Buffer; from: number; size: number }> {
  const handle = await open(path, 'r');
  try {
    const { size } = await handle.stat();
    const from = Math.max(0, size - 2 * LARGEST_LINE);
    const bytes = Buffer.alloc(size - from);
    await handle.read(bytes, 0, bytes.length, from);
    return { bytes, from, size };
  } finally {
    await handle.close();
  }
}

async function cut(path: string, length: number): Promise<void> {
  try {
    const handle = await open(path, 'r+');
    try {
      await handle.truncate(length);
      await handle.sync();
    } finally {
      await handle.close();
    }
  } catch (error) {
    refuse(error);
  }
}

/** Removes the files of days that need not be kept any more. */
async function prune(folder: string, now: number): Promise<void> {
  const oldest = new Date(now - (KEPT_DAYS + 1) * DAY_MS).toISOString().slice(0, 10);
  for (const name of await filesOf(folder)) {
    if (FILE.exec(name)![1]! < oldest) await rm(join(folder, name));
  }
}

async function filesOf(folder: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch(refuse);
  return names.filter((name) => FILE.test(name)).toSorted();
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function parse(line: Uint8Array): AuditEntry | undefined {
  try {
    return AuditEntry.parse(readJson(line, JSON_BOUNDS.record));
  } catch {
    return undefined;
  }
}

const changed = (what: string) =>
  new SkeinError('HEALTH_AUDIT', `The audit log was changed: ${what}.`);

function refusal(cause: unknown): SkeinError {
  const { code = (cause as Error).message } = cause as NodeJS.ErrnoException;
  return new SkeinError('HEALTH_AUDIT', `The audit log cannot be written (${code}).`, { cause });
}

function refuse(cause: unknown): never {
  throw refusal(cause);
}
