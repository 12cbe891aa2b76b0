/** A process that is a rank of the moons' training: PORT RANK SIZE. */
import { followRanks } from '../ranks.ts';
import { elastic } from '../ring/elastic.ts';
import { moonsPlan, moonsStep } from './moons.ts';
import { SECRET } from './ring.ts';

const [port = 0, rank = 0, size = 0] = process.argv.slice(2).map(Number);
await elastic({ host: '127.0.0.1', port, rank, size, secret: SECRET, plan: 'test' }, (collective) =>
  followRanks(collective, moonsStep(collective.size), moonsPlan),
);
