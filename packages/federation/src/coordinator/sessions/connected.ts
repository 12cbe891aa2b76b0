/** The sites and helpers of one run that are connected. */
import { SkeinError } from '@skein/api/errors';
import type { Session } from './session.ts';

export class Connected {
  readonly #sessions = new Map<string, Session>();

  get byKey(): ReadonlyMap<string, Session> {
    return this.#sessions;
  }
  get all(): Iterable<Session> {
    return this.#sessions.values();
  }

  /** A newer connection of a key replaces the older one. */
  add(session: Session): void {
    const older = this.#sessions.get(session.key);
    this.#sessions.set(session.key, session);
    older?.channel.close(
      new SkeinError('IDENTITY_ELSEWHERE', 'Another process or page has joined with this key.'),
    );
  }
  /** @returns whether it was the connection of its key. */
  remove(session: Session): boolean {
    return this.#sessions.get(session.key) === session && this.#sessions.delete(session.key);
  }
  close(): void {
    for (const { channel } of this.#sessions.values()) channel.close();
  }
}
