/** A node's memory for a stream that is open and waits for its next word. */
import * as http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { memoryOf } from '../harness/memory.ts';
import type { RowGroup } from '../harness/row-group.ts';
import { bodyFor, startNode, startUpstream, type Door } from './gateways.ts';

const STREAMS = 1000;
/** Opened at a time. */
const TOGETHER = 50;
/** Times so many, opened and closed before. */
const WARM_UP = 40;
/** In which a node that has nothing to do comes to rest. */
const REST_MS = 2000;

export const OPEN_STREAMS: RowGroup = {
  measures: [
    {
      key: 'stream_kib',
      what: `memory of a node with ${STREAMS} open idle streams over without, per stream`,
      unit: ' KiB',
      target: { atMost: 40 },
    },
  ],
  async measure({ progress }) {
    const upstream = await startUpstream();
    try {
      const node = await startNode(upstream);
      try {
        // A node in use has loaded the code and the buffers that all streams share.
        for (let round = 0; round < WARM_UP; round++) (await openStreams(node, TOGETHER))();
        await sleep(REST_MS);
        const before = await memoryOf(node.pid);
        const close = await openStreams(node, STREAMS);
        await sleep(REST_MS);
        const after = await memoryOf(node.pid);
        close();
        const streamKib = (after - before) / 1024 / STREAMS;
        progress(`open streams: ${streamKib.toFixed(1)} KiB each`);
        const details = { stream_node_mib: [before, after].map((bytes) => bytes / 2 ** 20) };
        return { results: { stream_kib: streamKib }, details };
      } finally {
        await node.stop();
      }
    } finally {
      await upstream.stop();
    }
  },
};

/** @returns what closes them. Each has had its first word. */
async function openStreams({ url, headers }: Door, count: number): Promise<() => void> {
  const agent = new http.Agent({ maxSockets: Infinity });
  const body = bodyFor('idle', true);
  const open: http.ClientRequest[] = [];
  const begin = (): Promise<void> =>
    new Promise((resolve, reject) => {
      let text = '';
      const request = http.request(url, { agent, method: 'POST', headers }, (response) => {
        response.setEncoding('utf8');
        response.on('data', (piece: string) => {
          text += piece;
          if (/"content":"[^"]/.test(text)) resolve();
        });
        response.on('end', () => reject(new Error(`A stream ended: ${text}`)));
        response.on('error', reject);
      });
      request.on('error', reject);
      request.end(body);
      open.push(request);
    });
  for (let begun = 0; begun < count; begun += TOGETHER) {
    await Promise.all(Array.from({ length: Math.min(TOGETHER, count - begun) }, begin));
  }
  return () => open.forEach((request) => request.destroy());
}
