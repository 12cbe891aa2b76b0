/** Reads the plan of an invitation without accepting it. */
import { join, type Joined } from '../identity/handshake.ts';
import { identityOf } from '../identity/keys.ts';
import { openChannel } from '../transport/channel.ts';
import { memoryChunks } from '../transport/chunks.ts';
import type { SiteOptions } from './run-site.ts';

/** Largest payload before a plan was accepted: none is expected. */
const MAX_BYTES = 2 ** 20;

/** Ends the handshake at the plan. */
class Seen extends Error {}

/** @throws SkeinError INVITATION_INVALID, IDENTITY_UNPROVEN, NODE_UNREACHABLE and what the coordinator refuses with. */
export async function lookAtPlan({
  invitation,
  memory,
  open,
}: Pick<SiteOptions, 'invitation' | 'memory' | 'open'>): Promise<Joined> {
  const channel = openChannel(await open(), memoryChunks(MAX_BYTES));
  let seen: Joined | undefined;
  try {
    const accept = (joined: Joined): never => {
      seen = joined;
      throw new Seen();
    };
    return await join(channel, {
      identity: await identityOf(await memory.identity()),
      invitation,
      accept,
    });
  } catch (error) {
    if (error instanceof Seen) return seen!;
    throw error;
  } finally {
    channel.close();
  }
}
