/**
 * A provider of OpenAI's form that answers at once with the same words. PORT: where it listens. Its
 * streams of the model `idle` stay open after their first word. GET: how many requests there were.
 */
import { createServer } from 'node:http';

const WORDS = 'the quick brown fox jumps over lazy dogs'.split(' ');
const head = { id: 'chatcmpl-1', created: 1, model: 'upstream' };
const chunk = (delta: object, finish: string | null = null): string =>
  `data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;

const OPENING = chunk({ role: 'assistant', content: '' }) + chunk({ content: WORDS[0] });
const REST = `${WORDS.slice(1)
  .map((word) => chunk({ content: ` ${word}` }))
  .join('')}${chunk({}, 'stop')}data: [DONE]\n\n`;
const WHOLE = Buffer.from(
  JSON.stringify({
    ...head,
    object: 'chat.completion',
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: WORDS.join(' ') },
        finish_reason: 'stop',
      },
    ],
    usage: { prompt_tokens: 10, completion_tokens: 8, total_tokens: 18 },
  }),
);
const JSON_HEAD = { 'content-type': 'application/json', 'content-length': WHOLE.length };

let requests = 0;
createServer((request, response) => {
  if (request.method === 'GET') return void response.end(String(requests));
  requests += 1;
  const pieces: Buffer[] = [];
  request.on('data', (piece: Buffer) => pieces.push(piece));
  request.on('end', () => {
    const { model, stream } = JSON.parse(Buffer.concat(pieces).toString()) as {
      readonly model: string;
      readonly stream?: boolean;
    };
    if (stream !== true) return void response.writeHead(200, JSON_HEAD).end(WHOLE);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(OPENING);
    if (model !== 'idle') response.end(REST);
  });
}).listen(Number(process.env['PORT']), '127.0.0.1');
