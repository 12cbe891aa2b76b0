/** Answers of one call that its client has not read. Each counts until its memory is freed. */
import { freeLarge } from '@skein/api/owned-memory';
import type { BudgetHold } from '@skein/api/shared-budget';
import type { Connection } from './connections.ts';
import type { MessagePieces } from './message-framer.ts';

export class UnreadAnswers {
  readonly #connection: Connection | undefined;
  readonly #newHold: () => BudgetHold;
  readonly #holds = new Map<MessagePieces, BudgetHold>();

  /** @param connection of the call. */
  constructor(connection: Connection | undefined, newHold: () => BudgetHold) {
    this.#connection = connection;
    this.#newHold = newHold;
  }

  add(message: MessagePieces): void {
    const hold = this.#newHold();
    hold.restore(message.size);
    this.#holds.set(message, hold);
  }

  /** The client has read it. */
  taken(message: MessagePieces): void {
    this.#holds.get(message)?.release();
    this.#holds.delete(message);
    freeLarge(message.pieces);
  }

  /**
   * The stream has ended. If its connection lives, the system may still write from the answers: V8 frees them, and
   * they count no more.
   */
  leave(): void {
    const { session, socket } = this.#connection ?? {};
    for (const [{ pieces }, hold] of this.#holds) {
      const free = (): void => freeLarge(pieces, () => hold.release());
      if (session?.destroyed !== true || socket === undefined) hold.release();
      else if (socket.closed) free();
      else socket.once('close', free);
    }
    this.#holds.clear();
  }
}
