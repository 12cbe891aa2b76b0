/** Attacks by a caller with a key of one scope: the costliest requests that are known, again and again and many at once. */
import { request as httpRequest } from 'node:http';
import { type Attack, inLoops, type KeyScope, type Target } from './attack.ts';
import { COSTLY_REQUESTS, type CostlyRequest } from './costly-bodies.ts';
import { echoModel } from './echoes.ts';
import { HOSTILE_MESSAGES } from './grpc-requests.ts';
import { frame, MODEL_INFER, openCall, openSession, request } from './grpc-wire.ts';

const MIB = 2 ** 20;
/** Requests that one attacker has open at once. */
const LOOPS = 8;
const HELD = 100;
/** Sizes of messages, in turn, and how long each is sent. */
const CHANGING_MIB = [3, 24, 60];
const CHANGE_MS = 5000;

type Ask = Pick<CostlyRequest, 'method' | 'path' | 'headers'> & { readonly body: Buffer };

/** Sends a whole request, and takes its answer unless it is to be left. */
function send({ host, httpPort, key }: Target, ask: Ask, until: AbortSignal, reads = true) {
  return new Promise<void>((resolve, reject) => {
    const { method, path, body } = ask;
    const headers = {
      ...ask.headers,
      authorization: `Bearer ${key}`,
      'content-length': body.length,
      'skein-timeout-ms': '60000',
    };
    const sent = httpRequest({ host, port: httpPort, method, path, headers, agent: false });
    const end = (): void => void sent.destroy();
    until.addEventListener('abort', end);
    sent.on('response', (response) => (reads ? response.resume() : response.pause()));
    sent.on('close', () => {
      until.removeEventListener('abort', end);
      resolve();
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

function repeat(name: string, scope: KeyScope, asks: () => readonly Ask[], reads = true): Attack {
  return {
    name: `${scope}: ${name}`,
    hasKey: true,
    scope,
    async run(target, until) {
      const all = asks();
      let turn = 0;
      await inLoops(reads ? LOOPS : HELD, until, () =>
        send(target, all[turn++ % all.length]!, until, reads),
      );
    },
  };
}

const costly = (pattern: RegExp) => (): readonly Ask[] =>
  COSTLY_REQUESTS.filter(({ name }) => pattern.test(name)).map((each) => ({
    ...each,
    body: each.body(),
  }));

const post = (path: string, body: Buffer, method: 'POST' | 'PUT' = 'POST'): Ask => ({
  method,
  path,
  headers: {},
  body,
});

/** The most jobs of one request, close to the most bytes of one. */
function jobs(): Ask[] {
  const job = JSON.stringify({
    name: 'a',
    work: { kind: 'command', argv: ['true', 'x'.repeat(800)] },
  });
  return [post('/api/v1/jobs', Buffer.from(`{"jobs":[${job}${`,${job}`.repeat(999)}]}`))];
}

/** A model of its own name, so that each is kept. */
function models(): Ask[] {
  const content = Buffer.from(echoModel('float32'));
  return Array.from({ length: 1000 }, (_, index) =>
    post(`/api/v1/models/m${index}/versions`, content, 'PUT'),
  );
}

const messages: Attack = {
  name: 'infer: costly messages over gRPC',
  hasKey: true,
  scope: 'infer',
  async run(target, until) {
    const bodies = HOSTILE_MESSAGES.slice(0, 12).map(({ message }) => frame(message()));
    let turn = 0;
    await inLoops(LOOPS, until, async () => {
      const session = openSession(target, MIB);
      const ended = (): void => session.destroy();
      until.addEventListener('abort', ended);
      const body = bodies[turn++ % bodies.length]!;
      await request(session, MODEL_INFER, body, { authorization: `Bearer ${target.key}` });
      until.removeEventListener('abort', ended);
      session.destroy();
    });
  },
};

/** Messages of 64 MiB that lack their end, on as many streams as there may be. */
const unfinished: Attack = {
  name: 'infer: messages over gRPC that never end',
  hasKey: true,
  scope: 'infer',
  async run(target, until) {
    const part = frame(Buffer.alloc(60 * MIB)).subarray(0, 32 * MIB);
    await inLoops(LOOPS, until, async () => {
      const session = openSession(target, MIB);
      const headers = { authorization: `Bearer ${target.key}` };
      const open = Array.from({ length: 16 }, () => openCall(session, MODEL_INFER, headers));
      for (const stream of open) stream.resume().write(part);
      await new Promise((resolve) => {
        session.on('close', resolve);
        until.addEventListener('abort', resolve);
        setTimeout(resolve, 5000);
      });
      session.destroy();
    });
  },
};

/** The attack `unfinished` with sizes that change: freed memory of one size may not serve the next. */
const changing: Attack = {
  name: 'infer: messages of changing sizes over gRPC that never end',
  hasKey: true,
  scope: 'infer',
  async run(target, until) {
    const begun = performance.now();
    await inLoops(LOOPS, until, async () => {
      const turn = Math.floor((performance.now() - begun) / CHANGE_MS);
      const size = CHANGING_MIB[turn % CHANGING_MIB.length]! * MIB;
      const part = frame(Buffer.alloc(size)).subarray(0, size - MIB / 4);
      const session = openSession(target, MIB);
      const headers = { authorization: `Bearer ${target.key}` };
      const streams = Math.ceil((16 * 32 * MIB) / size);
      const open = Array.from({ length: streams }, () => openCall(session, MODEL_INFER, headers));
      for (const stream of open) stream.resume().write(part);
      const left = CHANGE_MS * (turn + 1) - (performance.now() - begun);
      await new Promise((resolve) => {
        session.on('close', resolve);
        until.addEventListener('abort', resolve);
        setTimeout(resolve, left);
      });
      session.destroy();
    });
  },
};

/** Answers that wait for the window of their stream, which the client never opens. */
const unread: Attack = {
  name: 'infer: answers of 60 MiB over gRPC, unread',
  hasKey: true,
  scope: 'infer',
  async run(target, until) {
    const body = frame(HOSTILE_MESSAGES[0]!.message());
    await inLoops(HELD, until, async () => {
      const session = openSession(target, 0);
      const stream = openCall(session, MODEL_INFER, { authorization: `Bearer ${target.key}` });
      stream.pause();
      stream.end(body);
      await new Promise<void>((resolve) => {
        session.on('close', resolve);
        stream.on('close', resolve);
        until.addEventListener('abort', () => resolve());
      });
      session.destroy();
    });
  },
};

export const keyedAttacks: readonly Attack[] = [
  repeat('bodies of 1 MiB', 'infer', costly(/, 1 MiB$/)),
  repeat('bodies of 64 MiB', 'infer', costly(/, 64 MiB$|^64 MiB of floats$/)),
  repeat('binary tensors and strings', 'infer', costly(/^(64 MiB (of|raw)|65,536|16 million)/)),
  repeat('compressed bodies', 'infer', costly(/compressed$/)),
  repeat('answers of 64 MiB, unread', 'infer', costly(/^64 MiB of floats$/), false),
  unread,
  messages,
  unfinished,
  changing,
  repeat('a thousand jobs a request', 'jobs', jobs),
  repeat('artifacts', 'jobs', () => [post('/api/v1/artifacts', Buffer.alloc(32 * MIB, 7), 'PUT')]),
  repeat('awkward bodies', 'jobs', costly(/^POST .*jobs/)),
  repeat('awkward bodies', 'admin', costly(/^(POST|PUT|PATCH) /)),
  repeat('models', 'admin', models),
];
