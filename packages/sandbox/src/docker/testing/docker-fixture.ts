/** Sessions of the docker driver for its own tests; what a test opens is closed after it. */
import { once } from 'node:events';
import { afterAll, afterEach } from 'vitest';
import type { RunningCommand, SandboxSession, SessionOptions } from '../../contract.ts';
import { createDocker, type DockerOptions } from '../docker.ts';
import { connectEngine } from '../daemon/engine.ts';

export const MIB = 1024 * 1024;
/** The label of a container with the process that it belongs to. */
export const OWNER = 'dev.skein.owner';
export const OPTIONS: SessionOptions = {
  mounts: [],
  limits: {
    cpuMs: 20_000,
    wallMs: 60_000,
    memoryBytes: 128 * MIB,
    pids: 32,
    outputBytes: 4 * MIB,
    fileBytes: 16 * MIB,
    diskBytes: 32 * MIB,
  },
  network: 'none',
  untrusted: true,
};

/** Called once in a test file. */
export function dockerFixture() {
  const closers: (() => unknown)[] = [];
  /** For tests that do not concern the availability of the driver: its probe takes a moment. */
  const common = createDocker();
  afterAll(() => common.close());
  afterEach(async () => {
    for (const close of closers.splice(0).toReversed()) await close();
  });
  /** Called after the test. */
  const onEnd = (close: () => unknown): void => void closers.push(close);
  const driver = (options: DockerOptions = {}): ReturnType<typeof createDocker> => {
    const docker = createDocker(options);
    onEnd(() => docker.close());
    return docker;
  };
  const open = async (): Promise<SandboxSession> => {
    const session = await common.open(OPTIONS);
    onEnd(() => session.close());
    return session;
  };
  /** A second name of the image, by which a test distinguishes its containers from those that wait for others. */
  const secondName = async (): Promise<string> => {
    const [repo, tag] = ['skein-sandbox', `test-${process.pid}`];
    const engine = connectEngine(undefined);
    await engine.getImage('skein-sandbox:minimal').tag({ repo, tag });
    onEnd(() => engine.getImage(`${repo}:${tag}`).remove());
    return `${repo}:${tag}`;
  };
  return { common, onEnd, driver, open, secondName };
}

export async function outputOf(session: SandboxSession, code: string): Promise<string> {
  const { stdout, stderr } = await session.run({ argv: ['sh', '-c', code], workspace: 'writable' });
  return `${Buffer.from(stdout)}${Buffer.from(stderr)}`;
}

/** Resolves when the program has printed something: it runs. */
export async function running(command: RunningCommand): Promise<RunningCommand> {
  await once(command.stdout, 'data');
  return command;
}

/** Containers of a process. */
export async function containers(pid = process.pid) {
  const filters = { label: [OWNER] };
  const found = await connectEngine(undefined).listContainers({ all: true, filters });
  return found.filter(({ Labels }) => Labels[OWNER]?.startsWith(`${pid}-`));
}

export async function containersOf(image: string): Promise<number> {
  return (await containers()).filter(({ Image }) => Image === image).length;
}
