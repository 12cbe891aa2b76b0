/** Short untrusted texts: keys, addresses, headers, schedules, and the output of guests. */
import { SkeinError } from '@skein/api';
import { bearerOf, hashToken, idOfToken, requestIdFrom } from '@skein/http';
import { openSqliteState } from '@skein/state';
import { compareOutput, parseFlags } from '../../../apps/judge/src/validation/default-validator.ts';
import { createAccess } from '../../../packages/server/src/access/access.ts';
import {
  timeoutFromHeader,
  traceFrom,
} from '../../../packages/server/src/gateway/request-headers.ts';
import { nextTime } from '../../../packages/jobs/src/store/cron.ts';
import { readGuestLines } from '../../../packages/jobs/src/worker/attempt/guest-lines.ts';
import { ReportReader } from '../../../packages/sandbox/src/docker/supervisor/frames.ts';
import { isPublicAddress } from '../../../packages/api/src/machine/addresses.ts';
import { AllowList, readEntry } from '../../../packages/sandbox/src/network/allow-list.ts';
import { readProxyRequest } from '../../../packages/sandbox/src/network/request-head.ts';
import { bytesInput } from '../engine/bytes.ts';
import type { Target } from '../engine/target.ts';

const isCoded = (error: unknown) => error instanceof SkeinError;
const textOf = (input: Uint8Array) => Buffer.from(input).toString('latin1');
const seeds = (...texts: string[]) => texts.map((text) => Buffer.from(text));

/** The same at every run, so that an input can be made again. */
const TOKEN = `skein_0123456789ab_${'fuzz'.repeat(10)}key`;

/** The `Authorization` header: only the issued key is accepted. */
export async function openKeys(): Promise<Target> {
  const state = await openSqliteState(':memory:');
  await state.addKey({
    id: idOfToken(TOKEN)!,
    secretHash: hashToken(TOKEN).toString('hex'),
    label: 'fuzz',
    tenant: 'fuzz',
    scopes: ['read'],
    createdAt: new Date(0).toISOString(),
  });
  const access = await createAccess({ state, mode: 'keys', clock: performance });
  return {
    seeds: seeds(`Bearer ${TOKEN}`, `bearer  ${TOKEN} `, 'Basic dXNlcjp3b3Jk', 'Bearer '),
    structure: bytesInput(['Bearer ', 'skein_', '_', TOKEN.slice(0, 19), TOKEN, '\0', ' ', '=']),
    refuses: isCoded,
    run(input) {
      const header = textOf(input);
      access.authorize(header, 'read');
      if (bearerOf(header) !== TOKEN) throw new Error(`${JSON.stringify(header)} was let in`);
    },
    close: () => state.close(),
  };
}

/** Lists of addresses, addresses in numbers, and requests to the proxy of a sandbox. */
export function openAddresses(): Target {
  return {
    seeds: seeds(
      'example.org:443',
      '127.0.0.1:80',
      '2001:4860:4860::8888',
      '::ffff:169.254.169.254',
      'CONNECT example.org:443 HTTP/1.1\r\nHost: a',
      'GET http://example.org:8080/a?b=c HTTP/1.1\r\nHost: a\r\nX: 1',
    ),
    structure: bytesInput([
      '127.0.0.1',
      'localhost',
      '::1',
      '0x7f.1',
      '2130706433',
      '[',
      ']',
      '@',
      '%00',
      '\r\n',
      ' HTTP/1.1',
      'http://',
      ':65536',
      '.',
    ]),
    refuses: isCoded,
    run(input) {
      const text = textOf(input);
      const request = readProxyRequest(text);
      if (
        request?.kind === 'request' &&
        /\r\n\s/.test(request.head.toString('latin1').slice(0, -4))
      ) {
        throw new Error('a folded line was passed on');
      }
      if (/^(::ffff:)?(127|10|169\.254)\.[\d.]+$/.test(text) && isPublicAddress(text)) {
        throw new Error(`${text} is called public`);
      }
      isPublicAddress(text);
      const entry = readEntry(text);
      if (!new AllowList([text]).includes(entry))
        throw new Error('an entry is not in its own list');
    },
  };
}

/** Five-field expressions with a time zone behind them. */
export function openSchedules(): Target {
  return {
    seeds: seeds(
      '*/5 * * * *|UTC',
      '0 3 1 1 *|Europe/Zurich',
      '15,45 8-18 * * MON-FRI|America/New_York',
      '0 0 29 2 *|UTC',
      '0 0 L * *|UTC',
    ),
    structure: bytesInput([
      '*/',
      ' ',
      '|',
      ',',
      '-',
      'L',
      'W',
      '#',
      '?',
      '@daily',
      'MON',
      'UTC',
      '31 2',
      '99999',
      '+05:00',
    ]),
    refuses: isCoded,
    run(input) {
      const [cron = '', timeZone = ''] = textOf(input).split('|');
      const after = Date.UTC(2030, 0, 1);
      if (!(nextTime({ cron, timeZone }, after) > after)) throw new Error('the next time is past');
    },
  };
}

/** Headers that the faces read themselves. */
export function openHeaders(): Target {
  return {
    seeds: seeds(
      '1500\n00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\nrequest-1',
      '0.5\n00-00000000000000000000000000000001-0000000000000001-00\na/b:c',
    ),
    structure: bytesInput(['\n', '1e9', '-1', '00-', 'ff-', '\0', '.', '9'.repeat(20)]),
    refuses: isCoded,
    run(input) {
      const [timeout = '', trace = '', id = ''] = textOf(input).split('\n');
      traceFrom(trace, id);
      if (!/^[\x21-\x7e]{1,128}$/.test(requestIdFrom(id)))
        throw new Error('an id is not fit for a header');
      const timeoutMs = timeoutFromHeader(timeout)!;
      if (!(timeoutMs > 0 && timeoutMs < Infinity)) throw new Error(`a timeout of ${timeoutMs}`);
    },
  };
}

/** The output of a guest for its worker, and the frames of a container's supervisor. */
export function openGuestOutput(): Target {
  const frame = (kind: string, payload: string) => {
    const head = Buffer.alloc(9);
    head.writeUInt32BE(payload.length);
    head.write(kind, 4);
    return Buffer.concat([head, Buffer.from(payload)]);
  };
  return {
    seeds: [
      Buffer.from('::progress 0.5 half\nother\n::checkpoint\n'),
      Buffer.from('::progress 1\r\n::progress x'),
      Buffer.concat([frame('R', '{}'), frame('O', 'text'), frame('D', '{"exitCode":0}')]),
    ],
    structure: bytesInput(['::progress ', '::checkpoint', '\n', ' 1e999', '0.'.repeat(40)]),
    refuses: (error) => error instanceof Error && error.message === 'not a frame of the supervisor',
    run(input) {
      let passed = 0;
      const lines = readGuestLines({
        onCheckpoint() {},
        onProgress({ fraction }) {
          if (!(fraction >= 0 && fraction <= 1)) throw new Error(`a fraction of ${fraction}`);
        },
      });
      const half = input.length >> 1;
      for (const part of [input.subarray(0, half), input.subarray(half)])
        passed += lines.pass(part).length;
      if (passed + lines.flush().length > input.length)
        throw new Error('more was passed than was printed');
      const reader = new ReportReader();
      reader.push(Buffer.from(input.subarray(0, half)));
      reader.push(Buffer.from(input.subarray(half)));
    },
  };
}

/** The output of a submission, against an answer, under flags: `FLAGS\0ANSWER\0OUTPUT`. */
export function openJudgeOutputs(): Target {
  return {
    seeds: seeds(
      'float_tolerance 1e-6\x001.5 2\n\x001.5000001 2\n',
      'case_sensitive space_change_sensitive\0Yes\n\0Yes\n',
      '\0a b c\0A b  c',
    ),
    structure: bytesInput([
      'float_absolute_tolerance 1e-9 ',
      'nan',
      'inf',
      '1e400',
      '-0',
      '0x1p3',
      '\0',
      ' ',
      '\n',
    ]),
    refuses: isCoded,
    run(input) {
      const [flags = '', answer = '', output = ''] = textOf(input).split('\0');
      const parsed = parseFlags(flags.split(' ').filter(Boolean));
      const bytes = Buffer.from(answer, 'latin1');
      compareOutput(Buffer.from(output, 'latin1'), bytes, parsed);
      const same = compareOutput(bytes, bytes, parsed);
      if (!same.accepted) throw new Error(`an answer is not its own: ${same.message}`);
    },
  };
}
