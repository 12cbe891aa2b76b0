/** The memory of a site in Node: one SQLite file that only its owner reads, synced before each answer. */
import { openDatabase, type Database } from '@skein/state/database';
import type { SiteMemory } from './site-memory.ts';

/** The schema of a site's memory, and of a helper's. */
export const MEMORY_MIGRATIONS = [
  `CREATE TABLE identity (one INTEGER PRIMARY KEY CHECK (one = 1), secret BLOB, public BLOB) STRICT;
   CREATE TABLE consent (run TEXT PRIMARY KEY, digest TEXT NOT NULL) STRICT;
   CREATE TABLE answer (run TEXT, round INTEGER, attempt INTEGER, phase TEXT, bytes BLOB NOT NULL,
     PRIMARY KEY (run, round, attempt, phase)) STRICT, WITHOUT ROWID;
   CREATE TABLE state (run TEXT, round INTEGER, attempt INTEGER, bytes BLOB NOT NULL,
     PRIMARY KEY (run, round, attempt)) STRICT, WITHOUT ROWID;
   -- The secret of a helper.
   CREATE TABLE sealing (one INTEGER PRIMARY KEY CHECK (one = 1), secret BLOB NOT NULL) STRICT;
   CREATE TABLE carried (run TEXT PRIMARY KEY, bytes BLOB NOT NULL) STRICT;
   -- For a helper: the sites of the first sum of a round.
   CREATE TABLE cohort (run TEXT, round INTEGER, digest TEXT NOT NULL,
     PRIMARY KEY (run, round)) STRICT, WITHOUT ROWID;`,
];

/**
 * @param path the file; ':memory:' for tests.
 * @throws SkeinError STATE_CORRUPT, STATE_TOO_NEW, STORAGE_FULL, DATA_FOLDER_UNUSABLE.
 */
export function openSqliteMemory(path: string): SiteMemory {
  return memoryOver(openDatabase(path, MEMORY_MIGRATIONS));
}

/** @param database with the tables of `MEMORY_MIGRATIONS`. */
export function memoryOver(database: Database): SiteMemory {
  // Erased secrets are overwritten in the file, not only unlinked.
  database.prepare('PRAGMA secure_delete = ON').get();
  const identityRow = database.prepare('SELECT secret, public FROM identity');
  const addIdentity = database.prepare('INSERT OR IGNORE INTO identity VALUES (1, ?, ?)');
  const consent = database.prepare('SELECT digest FROM consent WHERE run = ?');
  const addConsent = database.prepare('INSERT OR IGNORE INTO consent VALUES (?, ?)');
  const answer = database.prepare(
    'SELECT bytes FROM answer WHERE run = ? AND round = ? AND attempt = ? AND phase = ?',
  );
  const attempts = database.prepare(
    'SELECT count(*) AS count FROM answer WHERE run = ? AND phase = ?',
  );
  const addAnswer = database.prepare('INSERT INTO answer VALUES (?, ?, ?, ?, ?)');
  const state = database.prepare(
    'SELECT bytes FROM state WHERE run = ? AND round = ? AND attempt = ?',
  );
  const putState = database.prepare('INSERT OR REPLACE INTO state VALUES (?, ?, ?, ?)');
  const carried = database.prepare('SELECT bytes FROM carried WHERE run = ?');
  const putCarried = database.prepare('INSERT OR REPLACE INTO carried VALUES (?, ?)');
  const eraseCarried = database.prepare('DELETE FROM carried WHERE run = ?');
  const isBefore = 'run = ? AND (round, attempt) < (?, ?)';
  const eraseState = database.prepare(`DELETE FROM state WHERE ${isBefore}`);
  const eraseAnswers = database.prepare(
    `UPDATE answer SET bytes = x'' WHERE ${isBefore} AND length(bytes) > 0`,
  );

  const storedIdentity = () => identityRow.get() as { secret: Bytes; public: Bytes } | undefined;
  const bytesOf = (row: unknown) => (row as { bytes: Bytes } | undefined)?.bytes;

  return {
    async identity() {
      const stored = database.read(storedIdentity);
      if (stored !== undefined) return importedPair(stored.secret, stored.public);
      const made = await crypto.subtle.generateKey('Ed25519', true, ['sign', 'verify']);
      const [secret, raw] = await Promise.all([
        crypto.subtle.exportKey('pkcs8', made.privateKey),
        crypto.subtle.exportKey('raw', made.publicKey),
      ]);
      const kept = database.write('power-cut', () => {
        addIdentity.run(new Uint8Array(secret), new Uint8Array(raw));
        return storedIdentity()!;
      });
      return importedPair(kept.secret, kept.public);
    },
    acceptedOf: async (run) =>
      database.read(() => (consent.get(run) as { digest: string } | undefined)?.digest),
    accept: async (run, planDigest) =>
      database.write('power-cut', () => {
        addConsent.run(run, planDigest);
        return (consent.get(run) as { digest: string }).digest;
      }),
    answerOf: async ({ run, round, attempt, phase }) =>
      database.read(() => bytesOf(answer.get(run, round, attempt, phase))),
    answerOnce: async ({ run, round, attempt, phase }, bytes, after) =>
      database.write('power-cut', () => {
        const first = bytesOf(answer.get(run, round, attempt, phase));
        if (first !== undefined) return first;
        addAnswer.run(run, round, attempt, phase, bytes);
        if (after !== undefined) putState.run(run, round, attempt, after);
        return bytes;
      }),
    attemptsOf: async (run, phase) =>
      database.read(() => (attempts.get(run, phase) as { count: number }).count),
    stateOf: async ({ run, round, attempt }) =>
      database.read(() => bytesOf(state.get(run, round, attempt))),
    carriedOf: async (run) => database.read(() => bytesOf(carried.get(run))),
    carry: async (run, bytes) =>
      database.write('power-cut', () => {
        if (bytes === undefined) eraseCarried.run(run);
        else putCarried.run(run, bytes);
      }),
    eraseBefore: async ({ run, round, attempt }) =>
      database.write('power-cut', () => {
        eraseState.run(run, round, attempt);
        eraseAnswers.run(run, round, attempt);
      }),
    close: async () => database.close(),
  };
}

type Bytes = Uint8Array<ArrayBuffer>;

async function importedPair(secret: Bytes, raw: Bytes): Promise<CryptoKeyPair> {
  const [privateKey, publicKey] = await Promise.all([
    crypto.subtle.importKey('pkcs8', secret, 'Ed25519', false, ['sign']),
    crypto.subtle.importKey('raw', raw, 'Ed25519', true, ['verify']),
  ]);
  return { privateKey, publicKey };
}
