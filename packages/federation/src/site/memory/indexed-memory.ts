/**
 * The memory of a site in a browser: IndexedDB with strict durability. The private key is not
 * extractable, so that no script of the page can read it.
 *
 * Tabs share it, and one may be of an older version of the page. The newer one wins: an older one lets go of the
 * memory when it is asked to, and refuses everything from then on. One that does not is named to the user.
 */
import { SkeinError } from '@skein/api/errors';
import type { Attempt, Question, SiteMemory } from './site-memory.ts';

const STORES = ['identity', 'consent', 'answer', 'state', 'carried'] as const;
type StoreName = (typeof STORES)[number];

/** Counts up with each store that is added. */
const VERSION = 2;

/**
 * @param name of the database; the data of other names are separate.
 * @throws SkeinError SITE_PAGES_DIFFER, also from every call once a newer page has asked for the memory.
 */
export async function openIndexedMemory(name: string): Promise<SiteMemory> {
  const opening = indexedDB.open(name, VERSION);
  opening.addEventListener('upgradeneeded', () => {
    const { objectStoreNames: known } = opening.result;
    for (const store of STORES) {
      if (!known.contains(store)) opening.result.createObjectStore(store);
    }
  });
  const database = await opened(opening);
  let isOlder = false;
  database.addEventListener('versionchange', () => {
    isOlder = true;
    database.close();
  });
  function transaction(
    stores: readonly StoreName[],
    mode: IDBTransactionMode = 'readonly',
  ): IDBTransaction {
    if (isOlder)
      throw differ('A newer version of this page has taken over the memory of this site.');
    return database.transaction(stores, mode, { durability: 'strict' });
  }

  const read = async <T>(store: StoreName, key: IDBValidKey): Promise<T | undefined> =>
    settled<T | undefined>(transaction([store]).objectStore(store).get(key));

  /** Resolves when the change is on the disk. */
  async function change<T>(
    stores: readonly StoreName[],
    work: (of: (store: StoreName) => IDBObjectStore) => Promise<T>,
  ): Promise<T> {
    const writing = transaction(stores, 'readwrite');
    const done = new Promise<void>((resolve, reject) => {
      writing.addEventListener('complete', () => resolve());
      writing.addEventListener('abort', () => reject(writing.error ?? new Error('abort')));
    });
    const [result] = await Promise.all([
      work((store) => writing.objectStore(store)),
      done,
    ] as const);
    return result;
  }

  /** Stores a value unless there is one, and returns the stored one. */
  const first = <T>(store: StoreName, key: IDBValidKey, value: T): Promise<T> =>
    change([store], async (of) => {
      const stored = await settled<T | undefined>(of(store).get(key));
      if (stored !== undefined) return stored;
      await settled(of(store).put(value, key));
      return value;
    });

  return {
    async identity() {
      const stored = await read<CryptoKeyPair>('identity', 1);
      if (stored !== undefined) return stored;
      // A transaction ends while it waits for anything else, so the key is made before it.
      const made = await crypto.subtle.generateKey('Ed25519', false, ['sign', 'verify']);
      return first('identity', 1, made);
    },
    acceptedOf: (run) => read<string>('consent', run),
    accept: (run, planDigest) => first('consent', run, planDigest),
    answerOf: (question) => read<Uint8Array>('answer', keyOf(question)),
    answerOnce: (question, answer, state) =>
      change(['answer', 'state'], async (of) => {
        const key = keyOf(question);
        const stored = await settled<Uint8Array | undefined>(of('answer').get(key));
        if (stored !== undefined) return stored;
        await settled(of('answer').put(answer, key));
        if (state !== undefined) await settled(of('state').put(state, attemptKey(question)));
        return answer;
      }),
    async attemptsOf(run, phase) {
      // Lists come after numbers in the order of keys.
      const all = IDBKeyRange.bound([run], [run, []]);
      const keys = await settled(transaction(['answer']).objectStore('answer').getAllKeys(all));
      return keys.filter((key) => (key as IDBValidKey[])[3] === phase).length;
    },
    stateOf: (attempt) => read<Uint8Array>('state', attemptKey(attempt)),
    carriedOf: (run) => read<Uint8Array>('carried', run),
    carry: (run, bytes) =>
      change(['carried'], async (of) => {
        if (bytes === undefined) await settled(of('carried').delete(run));
        else await settled(of('carried').put(bytes, run));
      }),
    eraseBefore: (attempt) =>
      change(['answer', 'state'], async (of) => {
        const earlier = IDBKeyRange.bound([attempt.run], attemptKey(attempt), false, true);
        await settled(of('state').delete(earlier));
        for (const key of await settled(of('answer').getAllKeys(earlier))) {
          await settled(of('answer').put(new Uint8Array(), key));
        }
      }),
    close: async () => database.close(),
  };
}

/** @throws SkeinError SITE_PAGES_DIFFER. */
function opened(opening: IDBOpenDBRequest): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    opening.addEventListener('blocked', () => {
      reject(
        differ(
          'An older version of this page is open in another tab, and holds the memory of this site.',
        ),
      );
      // Nothing waits for it any more; kept open, it would block others.
      opening.addEventListener('success', () => opening.result.close());
    });
    opening.addEventListener('error', () => {
      const isNewer = opening.error?.name === 'VersionError';
      const message = 'A newer version of this page has written the memory of this site.';
      reject(isNewer ? differ(message) : (opening.error ?? new Error('IndexedDB')));
    });
    opening.addEventListener('success', () => resolve(opening.result));
  });
}

const differ = (message: string): SkeinError => new SkeinError('SITE_PAGES_DIFFER', message);

function attemptKey({ run, round, attempt }: Attempt): IDBValidKey {
  return [run, round, attempt];
}

function keyOf(question: Question): IDBValidKey {
  return [question.run, question.round, question.attempt, question.phase];
}

function settled<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.addEventListener('success', () => resolve(request.result));
    request.addEventListener('error', () => reject(request.error ?? new Error('IndexedDB')));
  });
}
