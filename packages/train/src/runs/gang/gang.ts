/**
 * The gang of this process: MASTER_ADDR, MASTER_PORT, RANK and WORLD_SIZE, as jobs and torchrun set
 * them, and the secret with which members authenticate each other.
 */
import { readFile } from 'node:fs/promises';
import { unreadable } from '@skein/api/file-errors';
import type { RingOptions } from '../../parallel/ring/rendezvous.ts';
import { invalidSetting } from '../failure.ts';

const LEAST_SECRET = 16;

/** The place of a process among the ranks, and how they find and authenticate each other. */
export type Gang = Omit<RingOptions, 'plan'>;

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * @param arrivalMs time to wait for the other ranks; default: the time of `joinRing`.
 * @returns `undefined` when the environment names no gang.
 * @throws SkeinError USAGE, FILE_UNREADABLE.
 */
export async function gangOf(env: Environment, arrivalMs?: number): Promise<Gang | undefined> {
  const size = Number(env['WORLD_SIZE'] ?? '1');
  if (size === 1) return undefined;
  const rank = Number(env['RANK'] ?? '');
  const port = Number(env['MASTER_PORT'] ?? '');
  const host = env['MASTER_ADDR'] ?? '';
  const whole = (value: number, least: number, below: number) =>
    Number.isInteger(value) && value >= least && value < below;
  if (!whole(size, 2, 65_536) || !whole(rank, 0, size) || !whole(port, 1, 65_536) || host === '') {
    throw invalidSetting(
      `A gang needs MASTER_ADDR, MASTER_PORT, RANK and WORLD_SIZE, but they are "${host}", "${env['MASTER_PORT'] ?? ''}", "${env['RANK'] ?? ''}" and "${env['WORLD_SIZE'] ?? ''}".`,
    );
  }
  const secret = await secretOf(env);
  return { host, port, rank, size, secret, arrivalMs };
}

async function secretOf(env: Environment): Promise<Uint8Array> {
  const path = env['SKEIN_GROUP_SECRET_FILE'];
  const text =
    path === undefined
      ? env['SKEIN_GROUP_SECRET']
      : await readFile(path, 'utf8').catch((error: unknown) => {
          throw unreadable(path, error);
        });
  const secret = new TextEncoder().encode(text?.trim() ?? '');
  if (secret.byteLength >= LEAST_SECRET) return secret;
  throw invalidSetting(
    `The members of a gang prove that they belong to it: give all of them the same SKEIN_GROUP_SECRET, or SKEIN_GROUP_SECRET_FILE, of at least ${LEAST_SECRET} characters.`,
  );
}
