/**
 * The transitions of a `FederationStore`: each reads rows, decides, and writes them under the version
 * that it read, again when another writer was faster.
 *
 * An answer survives `kill -9` but is not synced: after a power cut its phase is still open, and the
 * site sends the same answer again. Everything else is on the disk before it resolves.
 */
import { JSON_BOUNDS, readJson } from '@skein/api/foreign-json';
import { SkeinError } from '@skein/api/errors';
import { isOver } from '@skein/api/federations';
import { canonical } from '@skein/api/canonical';
import type { LedgerEntry } from '../ledger/entry.ts';
import { aggregationIn } from '../plan/kinds/choices.ts';
import type { Place } from '../transport/messages.ts';
import type {
  AnswerRecord,
  FederationStore,
  InvitationRecord,
  MemberRecord,
  RunRecord,
} from './federation-store.ts';
import type { Change, Rows } from './rows.ts';

/** Numbers in keys have this many digits, so that keys are in their order. */
const padded = (number: number): string => String(number).padStart(12, '0');
const RUN = 'run';
const TAIL = 'ledger-tail';
const memberKey = (key: string): string => `member/${key}`;
const invitationKey = (id: string): string => `invitation/${id}`;
const entryKey = (sequence: number): string => `ledger/${padded(sequence)}`;
const attemptKey = (round: number, attempt: number): string =>
  `answer/${padded(round)}/${padded(attempt)}/`;
const answerKey = ({ round, attempt, phase }: Place, site: string): string =>
  `${attemptKey(round, attempt)}${phase}/${site}`;

const BATCH = 500;

/** By the role of the key that was proved. */
const NOT_FOR = {
  site: 'is for a helper, and the plan names no helper with this key',
  helper: 'is for a site, and this is the key of a helper',
} as const;

/** `used`: keys that have enrolled with it. */
type StoredInvitation = InvitationRecord & { readonly used?: number };

/** @param clock ms since the epoch. */
export function storeOverRows(rows: Rows, clock: () => number = Date.now): FederationStore {
  /** The last transition of each run in this process: they follow each other without retries. */
  const last = new Map<string, Promise<unknown>>();

  /** @param decide returns what to write, and the result. */
  async function transition<T>(
    run: string,
    keys: readonly string[],
    decide: (values: readonly (string | undefined)[]) => readonly [Change | undefined, T],
  ): Promise<T> {
    const attempt = async (): Promise<T> => {
      for (;;) {
        const { version, values } = await rows.get(run, keys);
        const [change, result] = decide(values);
        if (change === undefined || (await rows.commit(run, version, change))) return result;
      }
    };
    const before = last.get(run) ?? Promise.resolve();
    const own = before.then(attempt, attempt);
    last.set(run, own);
    try {
      return await own;
    } finally {
      if (last.get(run) === own) last.delete(run);
    }
  }

  async function all(run: string, prefix: string): Promise<[string, string][]> {
    const found: [string, string][] = [];
    for (let from = ''; ; from = `${found.at(-1)![0]}\u0000`) {
      const batch = await rows.scan(run, prefix, from, BATCH);
      found.push(...batch.map(([key, value]): [string, string] => [key, value]));
      if (batch.length < BATCH) return found;
    }
  }

  const put = (
    values: Readonly<Record<string, unknown>>,
    survives: Change['survives'] = 'power-cut',
  ): Change => ({
    put: new Map(Object.entries(values).map(([key, value]) => [key, JSON.stringify(value)])),
    survives,
  });

  return {
    createRun(run, first) {
      return transition(run.id, [RUN], ([known]) => {
        if (known !== undefined) throw moved(`There is a federation ${run.id} already.`);
        const now = clock();
        const record = { ...run, revision: 1, createdAt: now, updatedAt: now };
        return [put({ [RUN]: record, [entryKey(first.sequence)]: first, [TAIL]: first }), record];
      });
    },
    async runs() {
      const records = await Promise.all(
        (await rows.partitions()).map(async (id) =>
          recordOf((await rows.get(id, [RUN])).values[0]),
        ),
      );
      return records
        .filter((record) => record !== undefined)
        .toSorted((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1));
    },
    async run(id) {
      return recordOf((await rows.get(id, [RUN])).values[0]);
    },
    advance(id, revision, state, entries) {
      return transition(id, [RUN, TAIL], ([known, tail]) => {
        const record = recordOf(known);
        if (record?.revision !== revision)
          throw moved(`The federation ${id} was changed meanwhile.`);
        let before = readJson(tail!, JSON_BOUNDS.record) as LedgerEntry;
        for (const entry of entries) {
          if (entry.sequence !== before.sequence + 1 || entry.previous !== before.hash) {
            throw moved(`The ledger of ${id} has an entry ${entry.sequence} already.`);
          }
          before = entry;
        }
        const next = { ...record, state, revision: revision + 1, updatedAt: clock() };
        const written = Object.fromEntries(
          entries.map((entry) => [entryKey(entry.sequence), entry]),
        );
        return [put({ [RUN]: next, [TAIL]: before, ...written }), next];
      });
    },
    removeRun: (id) => rows.drop(id),

    addInvitation(invitation) {
      const { id, run } = invitation;
      return transition(run, [RUN], ([known]) => {
        // It would be kept for ever by a federation that was removed meanwhile.
        if (known === undefined) throw unknown(run);
        return [put({ [invitationKey(id)]: invitation }), undefined];
      });
    },
    enrol(run, key, role, { id, secretHash }) {
      return transition(run, [invitationKey(id), memberKey(key)], ([invited, known]) => {
        const invitation = parsed<StoredInvitation>(invited);
        const member = parsed<MemberRecord>(known);
        if (member?.revokedAt !== undefined) throw revoked(key);
        if (invitation === undefined || invitation.secretHash !== secretHash) {
          throw invalid('is unknown');
        }
        if (invitation.role !== role) throw invalid(NOT_FOR[role]);
        const { name, uses, used = 0 } = invitation;
        if (member !== undefined) return [undefined, member];
        if (used >= uses) {
          throw invalid(uses === 1 ? 'was used by another key' : `was used by ${uses} keys`);
        }
        const now = clock();
        if (invitation.expiresAt <= now) {
          throw invalid(
            `has expired: it was valid until ${dateOf(invitation.expiresAt)}, and the clock of the coordinator reads ${dateOf(now)}`,
          );
        }
        const made: MemberRecord = {
          run,
          key,
          name: uses === 1 ? name : `${name} ${used + 1}`,
          role,
        };
        const after: StoredInvitation = { ...invitation, used: used + 1 };
        return [put({ [invitationKey(id)]: after, [memberKey(key)]: made }), made];
      });
    },
    async members(run) {
      return (await all(run, 'member/')).map(
        ([, value]) => readJson(value, JSON_BOUNDS.record) as MemberRecord,
      );
    },
    async member(run, key) {
      return parsed<MemberRecord>((await rows.get(run, [memberKey(key)])).values[0]);
    },
    accept(run, key, accepted) {
      return transition(run, [memberKey(key)], ([known]) => {
        const member = parsed<MemberRecord>(known);
        if (member === undefined) return [undefined, false];
        return [put({ [memberKey(key)]: { ...member, accepted } }), true];
      });
    },
    revoke(run, key) {
      return transition(run, [memberKey(key)], ([known]) => {
        const member = parsed<MemberRecord>(known);
        if (member === undefined || member.revokedAt !== undefined) return [undefined, false];
        return [put({ [memberKey(key)]: { ...member, revokedAt: clock() } }), true];
      });
    },

    addAnswer(run, answer) {
      const { place, site } = answer;
      const key = answerKey(place, site);
      return transition(run, [RUN, memberKey(site), key], ([known, member, stored]) => {
        if (stored !== undefined) {
          const first = readJson(stored, JSON_BOUNDS.record) as AnswerRecord;
          if (canonical(first) === canonical(answer)) return [undefined, false];
          throw new SkeinError(
            'ANSWER_CONFLICT',
            `The site has answered phase ${place.phase} of round ${place.round} before, with another answer.`,
          );
        }
        const { revokedAt, role } = parsed<MemberRecord>(member) ?? {};
        if (revokedAt !== undefined) throw revoked(site);
        const state = recordOf(known)?.state;
        const isPresent =
          state !== undefined &&
          !isOver(state) &&
          state.round === place.round &&
          state.attempt === place.attempt &&
          state.phase === place.phase;
        const takesPart = role === 'helper' || state?.roster.includes(site);
        if (!isPresent || !takesPart) {
          throw new SkeinError(
            'PHASE_CLOSED',
            `Phase ${place.phase} of round ${place.round}, attempt ${place.attempt}, takes no answer of this site.`,
          );
        }
        // A site that stays sends the same answer again; one that passes has left by then.
        const plan = recordOf(known)?.plan;
        const isLast = plan !== undefined && aggregationIn(plan).isOneMessage;
        return [put({ [key]: answer }, isLast ? 'power-cut' : 'crash'), true];
      });
    },
    async answers(run, round, attempt) {
      const found = await all(run, attemptKey(round, attempt));
      return found.map(([, value]) => readJson(value, JSON_BOUNDS.record) as AnswerRecord);
    },
    async dropAnswers(run, round, attempt) {
      const before = attemptKey(round, attempt);
      const old = (await all(run, 'answer/')).filter(([key]) => key < before);
      if (old.length === 0) return [];
      const remove = old.map(([key]) => key);
      await transition(run, [], () => [{ put: new Map(), remove, survives: 'crash' }, undefined]);
      return old.flatMap(
        ([, value]) => (readJson(value, JSON_BOUNDS.record) as AnswerRecord).payload ?? [],
      );
    },

    async ledger(run, from, limit) {
      const found = await rows.scan(run, 'ledger/', entryKey(from), limit);
      return found.map(([, value]) => readJson(value, JSON_BOUNDS.record) as LedgerEntry);
    },
    async ledgerTail(run) {
      const tail = parsed<LedgerEntry>((await rows.get(run, [TAIL])).values[0]);
      if (tail === undefined) throw unknown(run);
      return tail;
    },
    close: () => rows.close(),
  };
}

/** The caller gives the type that it wrote under the key. */
// eslint-disable-next-line typescript/no-unnecessary-type-parameters
function parsed<T>(value: string | undefined): T | undefined {
  return value === undefined ? undefined : (readJson(value, JSON_BOUNDS.record) as T);
}

const recordOf = (value: string | undefined): RunRecord | undefined => parsed<RunRecord>(value);

const moved = (message: string): SkeinError => new SkeinError('FEDERATION_MOVED', message);
const unknown = (run: string): SkeinError =>
  new SkeinError('FEDERATION_UNKNOWN', `There is no federation ${run}.`);
const dateOf = (ms: number): string => new Date(ms).toISOString().slice(0, 16);
const invalid = (why: string): SkeinError =>
  new SkeinError('INVITATION_INVALID', `The invitation ${why}.`);
const revoked = (key: string): SkeinError =>
  new SkeinError('IDENTITY_REVOKED', `The key ${key.slice(0, 16)}… was revoked.`);
