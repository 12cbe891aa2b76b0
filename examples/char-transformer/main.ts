/**
 * Trains a character transformer, deploys it, and lets the deployment write:
 *
 *   npm run -w examples/char-transformer start
 *
 * What it writes goes to standard output, everything else to standard error.
 */
import { parseArgs } from 'node:util';
import { createClient, SkeinError } from '@skein/api/client';
import { seededRandom, writeModel } from '@skein/onnx';
import { nativeBackend } from '@skein/train/native';
import { harbourScenes } from './corpus.ts';
import { generate } from './generate.ts';
import { SIZE } from './network.ts';
import { trainCharacters } from './train.ts';

const USAGE = `Usage: npm run -w examples/char-transformer start -- [options]

Trains a transformer on scenes at a harbour, deploys it as "scenes", and lets it write some.

  --sentences N    Sentences to train on; default 2000.
  --epochs N       Passes over them; default 4.
  --lines N        Sentences to write; default 8.
  --temperature T  Below 1: more often what is likeliest. Default 0.3.
  --server URL     The node (or SKEIN_URL; default http://127.0.0.1:4700).
  --key KEY        API key, where the node asks for one (or SKEIN_KEY).
`;

const NAME = 'scenes';
/** Characters after which a line without an end is cut off. */
const LONGEST_LINE = 120;

const print = (line: string): void => void process.stderr.write(`${line}\n`);

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      sentences: { type: 'string', default: '2000' },
      epochs: { type: 'string', default: '4' },
      lines: { type: 'string', default: '8' },
      temperature: { type: 'string', default: '0.3' },
      server: { type: 'string', default: process.env['SKEIN_URL'] ?? 'http://127.0.0.1:4700' },
      key: { type: 'string', default: process.env['SKEIN_KEY'] ?? '' },
      help: { type: 'boolean', default: false },
    },
  });
  const [sentences, epochs, lines, temperature] = [
    values.sentences,
    values.epochs,
    values.lines,
    values.temperature,
  ].map(Number) as [number, number, number, number];
  if (values.help || !(sentences > 50 && epochs > 0 && lines >= 0 && temperature > 0)) {
    process.stderr.write(USAGE);
    return values.help ? 0 : 2;
  }
  const client = createClient({
    url: values.server,
    ...(values.key === '' ? {} : { key: values.key }),
  });
  try {
    const { text, entropy } = harbourScenes(sentences, 1);
    print(`${text.length} characters, ${entropy.toFixed(3)} nats of choice in each`);
    const trained = await trainCharacters(text, {
      size: SIZE,
      epochs,
      backend: nativeBackend,
      onEpoch: (loss, epoch) => print(`epoch ${epoch}: loss ${loss.toFixed(3)}`),
    });
    const { version } = await client.importModel({
      name: NAME,
      content: new Uint8Array(writeModel(trained.model)),
      metadata: { characters: trained.alphabet.characters },
    });
    // A character waits for the one before it, so that there is nothing to put into a batch.
    await client.deploy({ name: NAME, version, settings: { batching: { maxRows: 1 } } });
    print(`deployed as version ${version} of ${NAME}`);
    const writing = generate(client, '\n', {
      deployment: NAME,
      alphabet: trained.alphabet,
      length: SIZE.length,
      temperature,
      random: seededRandom(7),
    });
    let written = 0;
    let column = 0;
    while (written < lines) {
      const { value } = await writing.next();
      column = value === '\n' ? 0 : column + 1;
      process.stdout.write(value);
      if (column === LONGEST_LINE) throw new Error('The model ends no line; train it for longer.');
      if (value === '\n') written += 1;
    }
    return 0;
  } catch (error) {
    const code = error instanceof SkeinError ? `${error.code}: ` : '';
    print(`error: ${code}${error instanceof Error ? error.message : String(error)}`);
    return 1;
  }
}

process.exitCode = await main();
