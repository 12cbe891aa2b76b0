/**
 * Records refused logins in the audit trail: key id, address, reason and count.
 *
 * The first login of a kind is written within a second, and then once a minute while they continue.
 * Clients without a key can cause refused logins, so a minute has at most ten rows of them; the
 * rest is counted together. Otherwise a flood would displace other audit entries. The key that was
 * sent is never written, only the id of a key that the node holds.
 */
import { SkeinError, type ErrorCode } from '@skein/api';
import type { State } from '@skein/state';
import { bearerOf, type GatewayLogger, idOfToken, type Peer, remoteOf } from '@skein/http';
import type { Access, Caller, Keys, Scope } from './contract.ts';

/** `Access` for the faces, which know the address of a call. */
export interface FaceAccess extends Access {
  authorize(authorization: string | undefined, scope: Scope, from?: Peer): Caller;
  /** For a first attempt that is followed by another scope. */
  readonly unrecorded?: Pick<FaceAccess, 'authorize'>;
}

export interface RefusedLoginsOptions {
  readonly access: Access;
  readonly keys: Pick<Keys, 'list'>;
  readonly state: Pick<State, 'addAudit'>;
  readonly logger: GatewayLogger;
  /** Milliseconds until the first rows are written, and between later ones. Default: 1 s and 60 s. */
  readonly firstMs?: number;
  readonly nextMs?: number;
}

const REFUSALS: ReadonlySet<ErrorCode> = new Set(['KEY_MISSING', 'KEY_INVALID', 'SCOPE_MISSING']);
const MAX_ROWS = 10;
const OTHERS = '(others)';

interface Kind {
  readonly id: string | undefined;
  readonly scope: string;
  readonly code: string;
  readonly remote: string;
  count: number;
}

/** The access check with its refusals recorded. */
export function recordRefusedLogins(
  options: RefusedLoginsOptions,
): FaceAccess & { close(): Promise<void> } {
  const { access, logger, firstMs = 1000, nextMs = 60_000 } = options;
  let kinds = new Map<string, Kind>();
  let timer: NodeJS.Timeout | undefined;
  let written = Promise.resolve();
  let lastAt = -Infinity;

  function note(code: ErrorCode, authorization: string | undefined, scope: Scope, from?: Peer) {
    const token = authorization === undefined ? undefined : bearerOf(authorization);
    const id = token === undefined ? undefined : idOfToken(token);
    const remote = remoteOf(from);
    const key = `${code} ${id} ${scope} ${remote}`;
    let kind = kinds.get(key);
    if (kind === undefined) {
      const fits = kinds.size < MAX_ROWS;
      kind = fits ? { id, scope, code, remote, count: 0 } : kinds.get(OTHERS);
      kind ??= { id: undefined, scope: OTHERS, code: OTHERS, remote: OTHERS, count: 0 };
      kinds.set(fits ? key : OTHERS, kind);
    }
    kind.count++;
    timer ??= setTimeout(write, Math.max(firstMs, lastAt + nextMs - performance.now())).unref();
  }

  function write(): void {
    clearTimeout(timer);
    timer = undefined;
    lastAt = performance.now();
    const rows = [...kinds.values()];
    kinds = new Map();
    written = written
      .then(() => record(rows))
      .catch((error: unknown) => {
        logger.error({ err: error }, 'Refused logins could not be written to the audit trail.');
      });
  }

  async function record(rows: readonly Kind[]): Promise<void> {
    if (rows.length === 0) return;
    const known = new Set((await options.keys.list()).map(({ id }) => id));
    for (const { id, scope, code, remote, count } of rows) {
      await options.state.addAudit({
        actor: id !== undefined && known.has(id) ? id : 'unknown',
        action: 'login',
        subject: count === 1 ? scope : `${scope} ×${count}`,
        outcome: code,
        remote,
      });
    }
  }

  return {
    unrecorded: access,
    authorize(authorization, scope, from) {
      try {
        return access.authorize(authorization, scope);
      } catch (error) {
        if (error instanceof SkeinError && REFUSALS.has(error.code)) {
          note(error.code, authorization, scope, from);
        }
        throw error;
      }
    },
    enter: (caller) => access.enter(caller),
    leave: (caller) => access.leave(caller),
    watch: (caller, onEnd) => access.watch(caller, onEnd),
    /** Writes the collected rows. */
    close() {
      write();
      return written;
    },
  };
}
