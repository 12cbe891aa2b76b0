/** Raw requests to OpenAI's API, such as other languages send. */
import { post, send } from '../../testing/http-face.ts';

export const CHAT = '/v1/chat/completions';
export const hello = { model: 'chat', messages: [{ role: 'user', content: 'Hi' }] };
export const ask = (port: number, body: object, path = CHAT) =>
  send(port, path, post(JSON.stringify(body), { 'content-type': 'application/json' }));

/** The JSON of each event; the text of what is no JSON. */
export const eventsOf = (text: string): unknown[] =>
  text
    .split('\n\n')
    .flatMap((event) => event.split('\n').filter((line) => line.startsWith('data: ')))
    .map((line) => line.slice(6))
    .map((data) => (data === '[DONE]' ? data : (JSON.parse(data) as unknown)));
