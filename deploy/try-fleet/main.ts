/**
 * A fleet on this machine, tried: three containers over one Redis serve one model through a balancer while one
 * of them is killed and started again.
 *
 *   node deploy/try-fleet/main.ts [--engine podman|docker] [--image NAME] [--seconds N]
 *
 * Needs the engine, redis-server and haproxy; without --image it builds the image. Everything listens on
 * loopback, and ends with the command, whose exit code is 1 when a request was lost.
 */
import { parseArgs } from 'node:util';
import { openFleet } from './fleet.ts';
import { buildImage } from './engine.ts';
import { tryFleet } from './scenario.ts';

const USAGE =
  'Usage: node deploy/try-fleet/main.ts [--engine podman|docker] [--image NAME] [--seconds N] [--json]';

function refuse(why: string): never {
  process.stderr.write(`try-fleet: ${why}\n${USAGE}\n`);
  process.exit(2);
}

function readOptions() {
  try {
    return parseArgs({
      options: {
        engine: { type: 'string', default: 'podman' },
        image: { type: 'string' },
        seconds: { type: 'string', default: '20' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    return refuse((error as Error).message);
  }
}

const values = readOptions();
if (values.help) {
  process.stdout.write(`${USAGE}\n`);
  process.exit(0);
}
const { engine } = values;
if (engine !== 'podman' && engine !== 'docker') {
  refuse(`--engine is podman or docker, not ${engine}`);
}
const seconds = Number(values.seconds);
if (!(seconds >= 1 && seconds <= 86_400)) {
  refuse(`--seconds: "${values.seconds}" is not a number of seconds from 1 to 86400`);
}
const print = (line: string): void => {
  if (!values.json) process.stdout.write(`${line}\n`);
};

const image = values.image ?? (print('Building the image …'), await buildImage(engine));
const interrupted = new AbortController();
process.once('SIGINT', () => interrupted.abort());
process.once('SIGTERM', () => interrupted.abort());
await using fleet = await openFleet({ engine, image });
const result = await tryFleet(fleet, seconds * 1000, print, interrupted.signal);
const servedBy = Object.entries(result.byNode).map(([node, count]) => `${node} ${count}`);
if (values.json) process.stdout.write(`${JSON.stringify(result)}\n`);
print(
  `${result.answered} answered, ${result.refused} refused with a code, ${result.lost.length} lost; ${servedBy.join(', ')}`,
);
for (const loss of result.lost.slice(0, 5)) print(`  lost: ${loss}`);
process.exitCode = result.lost.length === 0 ? 0 : 1;
