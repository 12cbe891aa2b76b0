/**
 * Trains over two ranks on a node, and has the model that comes out served there:
 *
 *   npm run -w examples/pytorch-ddp start
 *
 * Progress goes to standard error, the answer of the deployment to standard output.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createClient, SkeinError } from '@skein/api/client';
import { gangModel, startGang } from './gang.ts';

const USAGE = `Usage: npm run -w examples/pytorch-ddp start -- [--epochs N] [--server URL] [--key KEY]

Trains a network with PyTorch over two ranks, and deploys it as "diagnosis".

  --epochs N    Passes over the table; default 100.
  --server URL  The node (or SKEIN_URL; default http://127.0.0.1:4700).
  --key KEY     API key, where the node asks for one (or SKEIN_KEY).
`;

const TABLE = join(import.meta.dirname, '../wdbc/wdbc.csv');
const NAME = 'diagnosis';

/** The first row of the table without its diagnosis, which is malignant. */
const ROW = [
  17.99, 10.38, 122.8, 1001, 0.1184, 0.2776, 0.3001, 0.1471, 0.2419, 0.07871, 1.095, 0.9053, 8.589,
  153.4, 0.006399, 0.04904, 0.05373, 0.01587, 0.03003, 0.006193, 25.38, 17.33, 184.6, 2019, 0.1622,
  0.6656, 0.7119, 0.2654, 0.4601, 0.1189,
];

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      epochs: { type: 'string', default: '100' },
      server: { type: 'string', default: process.env['SKEIN_URL'] ?? 'http://127.0.0.1:4700' },
      key: { type: 'string', default: process.env['SKEIN_KEY'] ?? '' },
      help: { type: 'boolean', default: false },
    },
  });
  const epochs = Number(values.epochs);
  if (values.help || !Number.isInteger(epochs) || epochs < 1) {
    process.stderr.write(USAGE);
    return values.help ? 0 : 2;
  }
  const print = (line: string): void => void process.stderr.write(`${line}\n`);
  const client = createClient({
    url: values.server,
    ...(values.key === '' ? {} : { key: values.key }),
  });
  try {
    const ranks = await startGang(client, { table: TABLE, label: 'diagnosis', ranks: 2, epochs });
    print(`accepted as ${ranks.map(({ id }) => id).join(' and ')}`);
    const content = await gangModel(client, ranks, { onProgress: print });
    const { version } = await client.importModel({
      name: NAME,
      content,
      metadata: { trainedBy: ranks[0]!.id },
    });
    await client.deploy({ name: NAME, version });
    print(`deployed as version ${version} of ${NAME}`);
    const { outputs } = await client.infer(NAME, {
      features: { shape: [1, ROW.length], data: new Float32Array(ROW) },
    });
    const [benign, malignant] = Array.from(outputs['probabilities']!.data, Number);
    process.stdout.write(`${JSON.stringify({ benign, malignant })}\n`);
    return 0;
  } catch (error) {
    const code = error instanceof SkeinError ? `${error.code}: ` : '';
    print(`error: ${code}${error instanceof Error ? error.message : String(error)}`);
    return 1;
  }
}

process.exitCode = await main();
