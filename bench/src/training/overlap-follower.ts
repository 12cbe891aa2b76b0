/** Rank 1 of the ring: `overlap-follower.ts PORT after|meanwhile`. */
import { followRanks } from '@skein/train/parallel';
import { limitedRing, overlapWork, type Sending } from './overlap-ring.ts';

const [port, sending] = process.argv.slice(2);
const { step, dealing } = overlapWork(sending as Sending);
await followRanks(await limitedRing(Number(port), 1), step, dealing);
