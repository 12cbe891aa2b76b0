/** A node that shows a participant one plan, and asks it to accept another one. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { serveWebSockets } from '../../../../federation/src/coordinator/sessions/web-sockets.ts';
import { invitationText } from '../../../../federation/src/identity/invitation.ts';
import { keysOfHelper, openHelperMemory } from '../../../../federation/src/helper/index.ts';
import { completePlan } from '../../../../federation/src/plan/complete.ts';
import type { PlanDraft } from '../../../../federation/src/plan/plan.ts';
import { smallCoordinator } from '../../../../federation/src/site/testing/small-coordinator.ts';
import { trainedPlan } from '../../../../federation/src/site/testing/trained-plan.ts';
import { draft } from '../../../../federation/src/testing/plans.ts';
import type { Participation } from '../../federation/participation.ts';
import { startCli } from '../../testing/cli.ts';

const { plan: open, model } = await trainedPlan();
const planOf = (noise: number, aggregation: PlanDraft['aggregation']) =>
  completePlan(
    draft({
      data: open.data,
      model: open.model,
      strategy: { name: 'fedsgd' },
      aggregation,
      privacy: { mode: 'patient', noise, epsilon: 1000, denominator: 300 },
      sites: { minimum: 3, maximum: 3 },
      rounds: 4,
    }),
  );

/** Two helpers; the first one has its keys in a data folder. */
async function committeeIn(folder: string): Promise<PlanDraft['aggregation']> {
  await mkdir(folder, { recursive: true });
  const kept = openHelperMemory(join(folder, 'helper.db'));
  const other = openHelperMemory(':memory:');
  onTestFinished(() => other.close());
  const helpers = [
    { name: 'Basel', ...(await keysOfHelper(kept)) },
    { name: 'Delft', ...(await keysOfHelper(other)) },
  ];
  await kept.close();
  return { kind: 'committee', helpers };
}

/** @param isLoose which connections of the command are shown the plan with less noise. */
async function cheated({ words, aggregation }: Command, isLoose: (connection: number) => boolean) {
  let [connections, accepted] = [0, 0];
  const folder = await mkdtemp(join(tmpdir(), 'skein-changed-'));
  const sums = await aggregation(join(folder, 'data'));
  const [strict, loose] = [planOf(10, sums), planOf(2, sums)];
  const coordinator = await smallCoordinator({
    plan: () => (isLoose(++connections) ? loose : strict),
    model,
    served: async () => void accepted++,
  });
  const sockets = serveWebSockets((connection) => {
    connection.admit?.();
    coordinator.serve(connection).catch(() => {});
  });
  const node = createServer();
  node.on('upgrade', (request, socket, head) => {
    void sockets.accept(request, socket as Socket, head);
  });
  await new Promise<void>((resolve) => node.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    sockets.close();
    node.close();
    node.closeAllConnections();
    await rm(folder, { recursive: true, force: true });
  });
  await writeFile(join(folder, 'rows.csv'), 'age,sex,disease\n40,1,1\n50,0,0\n60,0,1\n70,1,0\n');
  const { port } = node.address() as AddressInfo;
  const link = `http://127.0.0.1:${port}/join#${invitationText(coordinator.invitation)}`;
  const start = (...more: string[]) => {
    const given = [...words, link, ...more, '--folder', 'data', '--json'];
    const cli = startCli(given, { cwd: folder });
    onTestFinished(() => void cli.process.kill('SIGKILL'));
    return cli;
  };
  const command = async (...more: string[]) => {
    const { code, stdout, stderr } = await start(...more).ended;
    return { code, answer: JSON.parse(stdout === '' ? stderr : stdout) as Participation & object };
  };
  return { start, command, accepted: () => accepted, connections: () => connections };
}

interface Command {
  readonly words: readonly string[];
  readonly more: readonly string[];
  /** @param folder its data folder. */
  readonly aggregation: (folder: string) => Promise<PlanDraft['aggregation']>;
}

const pairwise = async (): Promise<PlanDraft['aggregation']> => ({ kind: 'pairwise' });
const COMMANDS: readonly Command[] = [
  { words: ['privacy', 'audit'], more: [], aggregation: pairwise },
  { words: ['join'], more: ['--data', 'rows.csv'], aggregation: pairwise },
  { words: ['helper', 'join'], more: [], aggregation: committeeIn },
];

it.each(COMMANDS)(
  'skein $words accepts no plan but the one that it has read',
  async (given) => {
    const { command, accepted, connections } = await cheated(given, (at) => at > 1);
    const { code, answer } = await command(...given.more, '--accept');
    expect(answer).toMatchObject({ code: 'SITE_PLAN_CHANGED' });
    expect(code).not.toBe(0);
    expect([connections(), accepted()]).toEqual([2, 0]);
  },
  60_000,
);

it.each(COMMANDS)(
  'skein $words accepts no plan but the one that it has shown before',
  async (given) => {
    const { start, command, accepted, connections } = await cheated(given, (at) => at > 1);
    const shown = await command(...given.more);
    expect(shown).toMatchObject({ code: 0, answer: { accepted: false } });
    const { answer } = await command(...given.more, '--accept');
    expect(answer).toMatchObject({ code: 'SITE_PLAN_CHANGED' });
    expect([connections(), accepted()]).toEqual([2, 0]);
    // A person who reads the other plan may accept it.
    const { answer: other } = await command(...given.more);
    expect(other.planDigest).not.toBe(shown.answer.planDigest);
    start(...given.more, '--accept');
    await expect.poll(accepted, { timeout: 50_000 }).toBeGreaterThan(0);
  },
  90_000,
);
