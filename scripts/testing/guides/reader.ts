/**
 * A reader who follows pages literally: types their commands in a folder like a clone of the repository, with an empty
 * home, and saves their files. Only ports and names of images differ, and are shown as the pages have them.
 */
import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { cpSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { homedir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { isSameLine } from './compare.ts';
import { openShell } from './shell.ts';

const ROOT = join(import.meta.dirname, '../../..');
/** Commands that end only when the reader stops them, and options with the ports that they take without any. */
const SERVERS: readonly (readonly [command: RegExp, ports: string])[] = [
  // The scripts before these three would install into this checkout.
  [/^(?:\w+=\S* )*npm start\b/, ' --ignore-scripts -- --port 4700 --grpc-port 4701'],
  [/^(?:\w+=\S* )*npm run judge\b/, ' --ignore-scripts -- --port 4710'],
  [/^npm run health\b/, ' --ignore-scripts -- --port 4720'],
  [/^npx skein-health serve\b/, ' --port 4720'],
  [/^(?:\w+=\S* )*npx skein up\b/, ' --port 4700 --grpc-port 4701'],
  [/^(?:\w+=\S* )*npx skein worker\b/, ''],
  [/^redis-server\b/, ''],
  [/^docker run -p\b/, ''],
];
/** Lines that a node does not print on a terminal. */
const LOGGED = /^\{"level":"info"/;
/** A refusal for want of time, on a machine that is busy with other tests: the reader asks again. */
const REFUSED = /DEADLINE_|"retryAfterMs"/;
const ATTEMPTS = 8;
/** The folder and the ports as pages show them. */
const PAGE_FOLDER = '/home/you/skein';
/** Within a container a node listens where it would on any machine. */
const PAGE_PORT = /(?<!-p \d+:)\b(?:47\d\d|6379|29500)\b/g;
/** The image in a command, which on this machine may be another. */
const PAGE_IMAGE = /(?<= )skein(?=[: \n)]|$)/g;
/** Variables of this process by which programs find Docker. */
const OF_DOCKER = ['DOCKER_HOST', 'DOCKER_CONTEXT', 'DOCKER_CONFIG'];
const PROGRAMS = { python: ['python3', 'program.py'], ts: ['node', 'program.ts'] } as const;

export interface Printed {
  readonly status: number;
  readonly lines: readonly string[];
}

export interface Reader {
  /** @param last the last line that the page shows of a command that serves. */
  type: (command: string, last?: string) => Promise<Printed>;
  runProgram: (language: string, lines: readonly string[]) => Promise<Printed>;
  save: (name: string, lines: readonly string[]) => Promise<void>;
  /** Ends the shell and the servers. */
  end: () => Promise<void>;
}

/** @param place an empty folder, for the reader's home, folder and commands. */
export function openReader(place: string): Reader {
  const folder = join(place, 'skein');
  const bin = join(place, 'bin');
  for (const each of [bin, folder, join(place, 'home')]) mkdirSync(each);
  writeCommands(bin);
  copyClone(folder);
  const shell = openShell(place, folder, {
    PATH: [bin, process.env['PATH']].join(delimiter),
    HOME: join(place, 'home'),
    LANG: 'C.UTF-8',
    ...dockerVariables(),
    // The judge compiles Go's standard library once per machine, in a minute.
    XDG_CACHE_HOME: process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'),
    NODE_COMPILE_CACHE: process.env['NODE_COMPILE_CACHE'] ?? join(place, 'compiled'),
  });
  const ports = new Map<string, string>();
  const image = `skein-guide-${randomUUID().slice(0, 8)}`;
  let hasImage = false;

  function withOwnImage(command: string): string {
    if (!/\bdocker run |build\.sh/.test(command)) return command;
    hasImage = true;
    return command.replaceAll(PAGE_IMAGE, image);
  }

  async function withOwnPorts(text: string): Promise<string> {
    for (const [port] of text.matchAll(PAGE_PORT)) {
      if (!ports.has(port)) ports.set(port, await freePort());
    }
    return text.replaceAll(PAGE_PORT, (port) => ports.get(port)!);
  }

  function asOnPage(text: string): readonly string[] {
    let shown = text
      .replaceAll(image, 'skein')
      .replaceAll(folder, PAGE_FOLDER)
      .replaceAll(`${ROOT}/`, '');
    for (const [port, own] of ports) shown = shown.replaceAll(own, port);
    return shown.split('\n');
  }

  async function type(onPage: string, last = '● … is ready …'): Promise<Printed> {
    const command = withOwnImage(onPage);
    const serving = withPorts(command);
    if (serving !== undefined) {
      const typed = await shell.serve(await withOwnPorts(serving), (printed) =>
        asOnPage(printed).some((line) => isSameLine(last, line)),
      );
      const lines = asOnPage(typed.text).filter((line) => !LOGGED.test(line));
      return { status: typed.status, lines };
    }
    const own = await withOwnPorts(command);
    let typed = await shell.run(own);
    for (let i = 1; i < ATTEMPTS && REFUSED.test(typed.text); i++) {
      await delay(1000);
      typed = await shell.run(own);
    }
    return { status: typed.status, lines: asOnPage(typed.text) };
  }

  async function save(name: string, lines: readonly string[]): Promise<void> {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), await withOwnPorts(`${lines.join('\n')}\n`));
  }

  return {
    type,
    save,
    async runProgram(language, lines) {
      const [command, name] = PROGRAMS[language as keyof typeof PROGRAMS];
      await save(name, lines);
      return type(`${command} ${name}`);
    },
    async end() {
      await shell.end();
      if (hasImage) removeImage(image);
    },
  };
}

/** The commands of a reader who has installed: this checkout's, with this Node. */
function writeCommands(bin: string): void {
  const cli = join(ROOT, 'packages/cli/src/main.ts');
  const judge = join(ROOT, 'apps/judge/src/main.ts');
  const health = join(ROOT, 'apps/health/src/main.ts');
  const npx = `#!/bin/sh\ncase "$1" in\nskein) shift; exec ${process.execPath} ${cli} "$@" ;;\nskein-judge) shift; exec ${process.execPath} ${judge} "$@" ;;\nskein-health) shift; exec ${process.execPath} ${health} "$@" ;;\nnode) shift; exec ${process.execPath} "$@" ;;\nesac\necho "npx $1 is not installed here" >&2; exit 127\n`;
  writeFileSync(join(bin, 'npx'), npx, { mode: 0o755 });
  symlinkSync(process.execPath, join(bin, 'node'));
  // Packages of the system are for the system's Python.
  symlinkSync('/usr/bin/python3', join(bin, 'python3'));
}

function dockerVariables(): Record<string, string> {
  const given = OF_DOCKER.map((name) => [name, process.env[name]] as const);
  return Object.fromEntries(
    given.filter((each): each is [string, string] => each[1] !== undefined),
  );
}

/** With the containers made of it. */
function removeImage(image: string): void {
  const containers = `docker ps --all --quiet --filter ancestor=${image}`;
  const removal = `${containers} | xargs --no-run-if-empty docker rm --force --volumes && docker rmi --force ${image}`;
  spawnSync('sh', ['-c', removal], { stdio: 'ignore' });
}

/** Folders are linked, unless commands of pages write there; files are copied into images. */
function copyClone(folder: string): void {
  for (const entry of readdirSync(ROOT, { withFileTypes: true })) {
    const [source, target] = [join(ROOT, entry.name), join(folder, entry.name)];
    const isCopied = entry.isFile() || ['deploy', 'examples'].includes(entry.name);
    if (isCopied) cpSync(source, target, { recursive: true });
    else symlinkSync(source, target);
  }
}

/** @returns a command that serves, with its ports, because the default ones may be taken; undefined for any other. */
function withPorts(command: string): string | undefined {
  const [pattern, ports] = SERVERS.find(([each]) => each.test(command)) ?? [];
  if (pattern === undefined || command.includes('--port ')) return pattern && command;
  return command.replace(pattern, (start) => `${start}${ports}`);
}

async function freePort(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return String(port);
}
