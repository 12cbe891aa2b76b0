/**
 * A node in a process of its own, as `skein up` starts it, for tests of what happens to nodes: it can
 * be drained, killed, and started again on the folder that it leaves behind.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  SkeinError,
  type DeploymentSettingsPatch,
  type DeploymentView,
  type ErrorBody,
} from '@skein/api';
import { createClient, type Client } from '@skein/api/client';
import { writeModel, type Model } from '@skein/onnx';
import { startCli, type CliOutcome } from '../../../cli/src/testing/cli.ts';

export interface NodeProcessOptions {
  /** Holds the data folder `.skein`; default: a new one, which goes with the node. */
  readonly folder?: string;
  /** HTTP port; default: any free one. */
  readonly port?: number;
  /** Further arguments of `skein up`. */
  readonly args?: readonly string[];
  /** API key of `client`. */
  readonly key?: string;
}

export interface NodeProcess extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** `host:port`. */
  readonly grpcUrl: string;
  readonly pid: number;
  readonly folder: string;
  readonly client: Client;
  /** What it wrote to stderr so far. */
  readonly log: () => string;
  /** Stores a model and deploys it, or rolls it out. */
  deploy(
    name: string,
    model: Model | Uint8Array,
    settings?: DeploymentSettingsPatch,
    plan?: Parameters<Client['deploy']>[0]['plan'],
  ): Promise<DeploymentView>;
  /** SIGTERM; resolves with how it ended. */
  stop(): Promise<CliOutcome>;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
}

/** Ends what a failed or timed out test has left behind. */
const running = new Set<NodeJS.Process['pid']>();
process.once('exit', () => {
  for (const pid of running) process.kill(pid, 'SIGKILL');
});

/**
 * Starts a node on free ports and waits until it has brought everything back. Disposing ends it.
 * @throws SkeinError as it says why it does not start.
 */
export async function startNodeProcess(options: NodeProcessOptions = {}): Promise<NodeProcess> {
  const folder = options.folder ?? temporaryFolder();
  const up = startCli(
    [
      'up',
      '--port',
      String(options.port ?? 0),
      '--grpc-port',
      '0',
      '--log',
      'json',
      '--json',
      ...(options.args ?? []),
    ],
    { cwd: folder },
  );
  const pid = up.process.pid!;
  running.add(pid);
  void up.ended.then(() => running.delete(pid));
  await up.saw(/^\}$/m);
  const printed = JSON.parse(up.output.stdout) as { url: string; grpcUrl: string } | ErrorBody;
  if ('error' in printed) {
    // It says why before it is gone, and until then it holds its folder and its ports.
    await up.ended;
    throw new SkeinError(printed.code, printed.error);
  }
  const { url, grpcUrl } = printed;
  const client = createClient({ url, key: options.key });
  const end = async (signal: NodeJS.Signals): Promise<CliOutcome> => {
    up.process.kill(signal);
    return up.ended;
  };
  return {
    url,
    port: Number(new URL(url).port),
    grpcUrl,
    pid,
    folder,
    client,
    log: () => up.output.stderr,
    async deploy(name, model, settings, plan) {
      const content = (
        model instanceof Uint8Array ? model : writeModel(model)
      ) as Uint8Array<ArrayBuffer>;
      const { version } = await client.importModel({ name, content });
      return client.deploy({
        name,
        version,
        ...(settings === undefined ? {} : { settings }),
        ...(plan === undefined ? {} : { plan }),
      });
    },
    stop: () => end('SIGTERM'),
    async kill() {
      await end('SIGKILL');
    },
    async [Symbol.asyncDispose]() {
      await end('SIGKILL');
      if (options.folder === undefined) rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** For nodes that come after one another; the caller removes it. */
export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), 'skein-node-'));
}
