/**
 * A node in its own process, started by `skein up`, for tests: it can be drained, killed, and
 * restarted on its data folder.
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
import { runCli, startCli, type CliOutcome } from '../../../cli/src/testing/cli.ts';

export interface NodeProcessOptions {
  /** Parent of the data folder `.skein`; default: a new one, removed with the node. */
  readonly folder?: string;
  /** HTTP port; default: any free one. */
  readonly port?: number;
  /** Further arguments of `skein up`. */
  readonly args?: readonly string[];
  /** Whether it runs jobs, for which it first tries the sandboxes of this machine: a second of two cores. Default: false. */
  readonly jobs?: boolean;
  /** Further variables of its environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** API key of `client`. */
  readonly key?: string;
  /** A command that starts it elsewhere, such as in a namespace, and becomes it. */
  readonly within?: readonly string[];
}

export interface NodeProcess extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** `host:port`. */
  readonly grpcUrl: string;
  readonly pid: number;
  readonly folder: string;
  readonly client: Client;
  /** Its output on stderr so far. */
  readonly log: () => string;
  /** Stores a model and deploys it, or rolls it out. */
  deploy(
    name: string,
    model: Model | Uint8Array,
    settings?: DeploymentSettingsPatch,
    plan?: Parameters<Client['deploy']>[0]['plan'],
  ): Promise<DeploymentView>;
  /** Runs a command in the node's folder. */
  run(...words: string[]): Promise<CliOutcome>;
  /** The one JSON document that a command prints which succeeds. */
  json<T>(...words: string[]): Promise<T>;
  /** Sends SIGTERM; resolves with the outcome. */
  stop(): Promise<CliOutcome>;
  /** Sends SIGKILL; resolves when the process has ended. */
  kill(): Promise<void>;
}

/** Ends nodes of failed or timed out tests. */
const running = new Set<NodeJS.Process['pid']>();
process.once('exit', () => {
  for (const pid of running) process.kill(pid, 'SIGKILL');
});

/**
 * Starts a node on free ports and waits until its deployments are restored. Disposing ends it.
 * @throws SkeinError the error that the node reports if it does not start.
 */
export async function startNodeProcess(options: NodeProcessOptions = {}): Promise<NodeProcess> {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), 'skein-node-'));
  const { args = [], jobs = args.includes('--queues') } = options;
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
      ...(jobs ? [] : ['--queues', 'none']),
      ...args,
    ],
    { cwd: folder, env: options.env ?? {}, within: options.within ?? [] },
  );
  const pid = up.process.pid!;
  running.add(pid);
  void up.ended.then(() => running.delete(pid));
  await up.saw(/^\}$/m);
  const printed = JSON.parse(up.output.stdout) as { url: string; grpcUrl: string } | ErrorBody;
  if ('error' in printed) {
    // It reports the error before it ends, and until then it holds its folder and its ports.
    await up.ended;
    throw new SkeinError(printed.code, printed.error);
  }
  const { url, grpcUrl } = printed;
  const client = createClient({ url, key: options.key });
  const end = async (signal: NodeJS.Signals): Promise<CliOutcome> => {
    up.process.kill(signal);
    const outcome = await up.ended;
    if (options.folder === undefined) rmSync(folder, { recursive: true, force: true });
    return outcome;
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
        settings,
        plan,
      });
    },
    run: (...words) => runCli(words, { cwd: folder }),
    async json<T>(...words: string[]) {
      const { stdout, stderr, code } = await runCli([...words, '--json'], { cwd: folder });
      if (code !== 0) throw new Error(`${words.join(' ')} ended with ${code}: ${stderr}${stdout}`);
      return JSON.parse(stdout) as T;
    },
    stop: () => end('SIGTERM'),
    async kill() {
      await end('SIGKILL');
    },
    async [Symbol.asyncDispose]() {
      await end('SIGKILL');
    },
  };
}
