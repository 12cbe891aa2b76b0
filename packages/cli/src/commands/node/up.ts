/** `skein up`: a node on this machine, until Ctrl-C. */
import type { Client } from '@skein/api/client';
import { startNode, type RunningNode } from '@skein/server';
import { keepHeapSmall } from '../../process/node-flags.ts';
import { fleetPlace } from '../../command-line/environment.ts';
import { defineCommand, type Context } from '../../command-line/command.ts';
import { connect, dataFolder, type Connection } from '../../connection/connection.ts';
import { nextCommand, runExample } from '../../examples/example-run.ts';
import { showLanguageExample } from '../../examples/language-example.ts';
import { mustEndWithin } from '../../process/exit.ts';
import { untilAborted } from '@skein/api/waits';
import { renderUp, type UpResult } from '../../output/up.ts';
import { graceOf, nodeOptions, type UpOptions, upOptions } from './node-options.ts';

export const up = defineCommand({
  name: 'up',
  summary: 'Start a node on this machine; Ctrl-C drains and stops it.',
  details:
    'Deployments, versions and keys are kept in the data folder and are restored at a restart. On loopback the node is open; bound to any other address it requires API keys. Make the first with skein keys create, or give it in SKEIN_ADMIN_KEY; SKEIN_READ_KEY gives one that may only read, such as for Prometheus. The first Ctrl-C, or SIGTERM, answers what was accepted and exits 0 within --grace and a second, whatever runs; a second one exits at once.',
  examples: {
    'skein up --example ocr': 'With the example that reads text in images',
    'skein up --host 0.0.0.0 --tls-cert cert.pem --tls-key key.pem':
      'For other machines, with keys, over TLS',
    'skein up --redis redis://10.0.0.5 --blobs s3://team/skein --queues none':
      'A member of a fleet that leaves jobs to workers',
  },
  arguments: {},
  options: upOptions,
  endsItself: true,
  async run(context, options): Promise<UpResult | undefined> {
    const asked = untilAborted(context.signal);
    const graceMs = graceOf(context, options);
    void asked.then(() => mustEndWithin(graceMs));
    const folder = dataFolder(context, options.data);
    context.notes.progress('Starting …');
    if (context.signal.aborted) return undefined;
    const given = await nodeOptions(context, options);
    const starting = startNode({ ...given, onKeylessLoad: keepHeapSmall });
    let node: RunningNode;
    try {
      node = await starting;
    } catch (error) {
      // An aborted start has already closed its parts.
      if (context.signal.aborted) return undefined;
      throw error;
    }
    try {
      const result = await Promise.race([describe(context, options, node, folder), asked]);
      if (result !== undefined) {
        context.stay(async () => {
          // A declaration in a fleet holds on all of its nodes, and the model's folder is on one.
          const isMember = fleetPlace(context, options).redis !== undefined;
          const showing =
            options.example === 'ocr' && !isMember
              ? showLanguageExample(context, connectTo(context, node, options), folder)
              : undefined;
          await drainWhenAsked(context, node);
          await showing;
        });
        return result;
      }
    } catch (error) {
      if (!context.signal.aborted) {
        await node.drain();
        throw error;
      }
    }
    await drainWhenAsked(context, node);
    return undefined;
  },
  render: (result, style) => (result === undefined ? '' : renderUp(result, style)),
});

/** Deploys the example, if one is requested, and describes the node. */
async function describe(
  context: Context,
  options: UpOptions,
  node: RunningNode,
  dataFolder: string,
): Promise<UpResult> {
  const connection = await connectTo(context, node, options);
  const example =
    options.example === undefined
      ? undefined
      : await runExample(context, connection, options.example);
  return {
    url: node.url,
    grpcUrl: node.grpcUrl,
    access: node.access,
    dataFolder,
    pid: process.pid,
    readyMs: performance.now(),
    deployments: connection === undefined ? [] : await deployed(connection.client),
    ...(example === undefined ? {} : { example }),
    next: nextCommand(context, example),
  };
}

async function drainWhenAsked(context: Context, node: RunningNode): Promise<void> {
  await untilAborted(context.signal);
  context.notes.line('Draining: what was accepted is answered first. Ctrl-C again stops at once.');
  await node.drain();
}

/** Absent when the node asks for a key or a certificate that this command was not given. */
async function connectTo(
  context: Context,
  { url, access }: RunningNode,
  options: UpOptions,
): Promise<Connection | undefined> {
  const key = context.env['SKEIN_KEY'];
  const connection = await connect(context, { ...options, server: url, key, ca: undefined });
  const admitted = options.tlsClientCa === undefined || connection.trust?.cert !== undefined;
  return admitted && (access === 'open' || key !== undefined) ? connection : undefined;
}

async function deployed(client: Client): Promise<UpResult['deployments']> {
  const { deployments } = await client.listDeployments();
  return deployments
    .map(({ name, status }) => ({ name, status }))
    .toSorted((one, other) => (one.name < other.name ? -1 : 1));
}
