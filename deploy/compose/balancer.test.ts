/** The balancer with nodes that this test stops and continues. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { requireComponent } from '../../scripts/testing/components.ts';
import { freePort } from '../../packages/jobs/src/worker/free-port.ts';

/** Answers checks at once, and requests after 50 ms. */
const NODE = `require('node:http').createServer((request, response) => {
  request.resume().on('end', () => setTimeout(() => response.end('{}'), request.method === 'GET' ? 0 : 50));
}).listen(Number(process.argv[1]), '127.0.0.1', () => console.log('listening'));`;

function start(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  const child: ChildProcess = spawn(program, args, {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.on('data', (data: Buffer) => (output += data.toString()));
  }
  onTestFinished(() => void child.kill('SIGKILL'));
  return { child, output: () => output };
}

it.skipIf(requireComponent('haproxy').skip)(
  'ends no request of a node that is too busy to answer its checks',
  { timeout: 120_000 },
  async () => {
    const PATIENT = { timeout: 30_000 };
    const ports = [];
    for (let i = 0; i < 4; i++) ports.push(await freePort('127.0.0.1'));
    const [balancer, ...nodePorts] = ports;
    const nodes = nodePorts.map((port) => start(process.execPath, ['-e', NODE, String(port)]));
    for (const node of nodes) await expect.poll(node.output, PATIENT).toContain('listening');
    const { output } = start('haproxy', ['-f', join(import.meta.dirname, 'haproxy.cfg')], {
      BALANCER: `127.0.0.1:${balancer}`,
      ...Object.fromEntries(nodePorts.map((port, i) => [`NODE_${i + 1}`, `127.0.0.1:${port}`])),
    });
    const url = `http://127.0.0.1:${balancer}/v2/models/tiny/infer`;
    const infer = async (): Promise<string> => {
      const response = await fetch(url, { method: 'POST', body: '{}' });
      return `${response.status} ${response.headers.get('skein-node')}`;
    };
    await expect.poll(() => infer().catch(() => ''), PATIENT).toMatch(/^200/);

    const [busy] = nodes as [(typeof nodes)[0]];
    busy.child.kill('SIGSTOP');
    // Each node gets some of them; the requests at the stopped node wait.
    const waiting = Array.from({ length: 9 }, infer);
    await expect.poll(output, PATIENT).toContain('Server nodes/node-1 is DOWN');
    expect(await infer()).toMatch(/^200 node-[23]$/);
    busy.child.kill('SIGCONT');
    const answers = await Promise.all(waiting);
    expect(answers.filter((answer) => !answer.startsWith('200'))).toEqual([]);
    expect(answers).toContain('200 node-1');
  },
);
