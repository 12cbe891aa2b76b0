/** Rank 1 of the ring: `overlap-follower.ts PORT BUCKET_BYTES`. */
import { followRanks } from '@skein/train/parallel';
import { limitedRing, overlapWork } from './overlap-ring.ts';

const [port, bucketBytes] = process.argv.slice(2).map(Number);
const { step, dealing } = overlapWork(bucketBytes ?? Infinity);
await followRanks(await limitedRing(port ?? 0, 1), step, dealing);
