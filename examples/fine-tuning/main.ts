/**
 * Prints how many held-out images a deployment reads correctly:
 *
 *   npm run -w examples/fine-tuning accuracy -- digits
 */
import { createClient, SkeinError } from '@skein/api/client';
import { accuracyOf, shareOf } from './accuracy.ts';

const url = process.env['SKEIN_URL'] ?? 'http://127.0.0.1:4700';
const key = process.env['SKEIN_KEY'];
const name = process.argv[2] ?? 'digits';

try {
  const client = createClient({ url, ...(key === undefined ? {} : { key }) });
  const found = await accuracyOf(client, name);
  found.right.forEach((right, digit) => {
    process.stdout.write(`${digit}  ${right} of ${found.of[digit]} right\n`);
  });
  process.stdout.write(`\n${(100 * shareOf(found)).toFixed(1)} % right\n`);
} catch (error) {
  if (!(error instanceof SkeinError)) throw error;
  process.stderr.write(`${error.code}: ${error.message}\n`);
  process.exitCode = 1;
}
