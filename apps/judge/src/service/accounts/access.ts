/** Identifies the callers of the judge, and ends their streams with their keys. */
import { SkeinError } from '@skein/api';
import type { CallerAccess } from '@skein/http';
import type { Accounts, User } from './accounts.ts';

/** Budgets are shared between users; callers without a key are one tenant. */
export interface Guest {
  readonly tenant: string;
  readonly user: undefined;
}

export interface SignedIn {
  readonly tenant: string;
  readonly user: User;
  /** Id of the key. */
  readonly key: string;
}

export interface JudgeCallers {
  readonly public: Guest | SignedIn;
  readonly user: SignedIn;
  readonly admin: SignedIn;
  readonly [scope: string]: Guest | SignedIn;
}

export interface JudgeAccess extends CallerAccess<JudgeCallers> {
  /** Ends the streams of keys that have been revoked. */
  check(): void;
  close(): void;
}

/** No user is called so: a name has no space. */
const GUEST: Guest = { tenant: 'without a key', user: undefined };
/** The command line revokes keys in another process: look for them so often, in milliseconds. */
const CHECK_MS = 1000;

export function createJudgeAccess(
  accounts: Pick<Accounts, 'authenticate' | 'isValid'>,
): JudgeAccess {
  const watches = new Set<{ readonly key: string; readonly onEnd: (error: SkeinError) => void }>();

  function check(): void {
    for (const watch of watches) {
      if (accounts.isValid(watch.key)) continue;
      watches.delete(watch);
      watch.onEnd(new SkeinError('KEY_INVALID', `The API key ${watch.key} has been revoked.`));
    }
  }
  const timer = setInterval(check, CHECK_MS);

  return {
    authorize(authorization, scope) {
      const found = accounts.authenticate(authorization);
      if (found === undefined) {
        if (scope === 'public') return GUEST;
        throw new SkeinError('KEY_MISSING', 'This call needs an API key, and none was sent.');
      }
      const { user, key } = found;
      if (scope === 'admin' && !user.admin) {
        throw new SkeinError('SCOPE_MISSING', `This call is for admins; ${user.name} is none.`);
      }
      return { tenant: user.name, user, key };
    },
    watch(caller, onEnd) {
      if (caller.user === undefined) return () => {};
      const watch = { key: caller.key, onEnd };
      watches.add(watch);
      return () => void watches.delete(watch);
    },
    check,
    close: () => clearInterval(timer),
  };
}
