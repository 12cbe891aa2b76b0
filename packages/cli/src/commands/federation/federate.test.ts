/** Commands of an operator of a federation, against a node: each change, its mistakes, and its ledger. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { GraphBuilder, tensor, writeModel, type Model } from '@skein/onnx';
import { assemblePublic } from '@skein/train';
import { expect, it } from 'vitest';
import { renderFederation } from '../../output/federation.ts';
import { styleOf } from '../../output/style.ts';
import { runCli, type CliOutcome } from '../../testing/cli.ts';
import { openFederationScene, TERMS } from '../../testing/federation-scene.ts';

/** A linear model of no numbers. */
function ofNothing(outputs: number): Model {
  const graph = new GraphBuilder('linear');
  const x = graph.input('x', 'float32', ['batch', 0]);
  const w = graph.initializer('w', tensor('float32', [0, outputs], new Float32Array(0)));
  const [y] = graph.node('MatMul', [x, w], {}, { outputs: ['y'] });
  graph.output(y, 'float32', ['batch', outputs]);
  return graph.model();
}

it('starts, invites, pauses, resumes, revokes and stops, and writes each into the ledger', async () => {
  await using scene = await openFederationScene(['Basel']);
  const { folder, node, client } = scene;
  const skein = (...words: string[]): Promise<CliOutcome> =>
    runCli([...words, '--server', node.url], { cwd: folder });
  async function output(...words: string[]): Promise<string> {
    const { code, stdout, stderr } = await skein(...words);
    expect([code, stderr], words.join(' ')).toEqual([0, '']);
    return stdout;
  }
  async function refused(...words: string[]): Promise<string> {
    const { code, stderr } = await skein(...words);
    expect(code, words.join(' ')).not.toBe(0);
    return stderr;
  }
  expect(await output('federate', 'status')).toContain('There are no federations');
  expect(await refused('federate', 'pause', 'last')).toContain('FEDERATION_UNKNOWN');

  const plan = { ...TERMS, rounds: 2, aggregation: { kind: 'none', coordinatorSeesUpdates: true } };
  const terms = { ...plan, privacy: { mode: 'none' }, sites: { minimum: 2, maximum: 3 } };
  await writeFile(join(folder, 'plan.json'), JSON.stringify(terms));
  await writeFile(join(folder, 'broken.json'), '{');
  expect(await refused('federate', 'start', 'broken.json')).toContain('"broken.json" is not JSON');
  expect(await refused('federate', 'start', 'none.json')).toContain('FILE_UNREADABLE');
  // No model is left of a plan that is refused.
  for (const [content, field] of [
    [null, 'expected record'],
    [[terms], 'expected record'],
    [{ ...terms, data: undefined }, 'data: '],
    [{ ...terms, data: { ...terms.data, features: [] } }, 'data.features: '],
    [{ ...terms, rounds: 0 }, 'rounds: '],
  ] as const) {
    await writeFile(join(folder, 'wrong.json'), JSON.stringify(content));
    const message = await refused('federate', 'start', 'wrong.json', '--name', 'wrong');
    expect(message).toContain('PLAN_INVALID');
    expect(message).toContain(field);
  }
  // Nor of invitations that would be refused after the start.
  for (const [names, problem] of [
    [['A', 'B', 'A'], '"A" is there twice'],
    [['A', 'B', 'C', 'D'], '4 sites are invited, and the plan takes 3'],
    [['A', 'B'.repeat(201)], 'has 201 characters'],
  ] as const) {
    const sites = names.flatMap((each) => ['--site', each]);
    const message = await refused('federate', 'start', 'plan.json', '--name', 'wrong', ...sites);
    expect(message).toContain('USAGE');
    expect(message).toContain(problem);
  }
  expect(JSON.stringify(await client.listModels())).not.toContain('wrong');
  expect((await client.listFederations()).federations).toEqual([]);
  const hollow = assemblePublic(
    { ...terms.data, features: [] },
    ({ outputs }) => ofNothing(outputs),
    1,
  );
  const content = new Uint8Array(writeModel(hollow));
  const { version } = await client.importModel({ name: 'hollow', content });
  await expect(
    client.startFederation({ model: 'hollow', version, plan: terms as never }),
  ).rejects.toMatchObject({ code: 'TRAINING_MODEL_UNFIT' });

  const started = await output(
    'federate',
    'start',
    'plan.json',
    '--name',
    'heart',
    '--site',
    'Basel',
  );
  const link = /http\S+#skein-join_\S+/.exec(started)?.[0] ?? '';
  expect(link).toContain(node.url);
  expect(await output('federate', 'invite', 'last', 'Lyon')).toMatch(
    /Lyon\n {2}http\S+#skein-join_/,
  );

  // One site of two: it joins, and no round begins.
  const site = scene.start(
    'Basel',
    'join',
    link,
    '--data',
    'Basel.csv',
    '--accept',
    '--plain-updates',
  );
  const [federation] = (await client.listFederations()).federations;
  const id = federation!.id;
  await expect
    .poll(async () => (await client.getFederation({ id })).sites[0]?.accepted, { timeout: 60_000 })
    .toBe(true);
  expect(await output('federate', 'status')).toMatch(/heart/);
  expect(await output('federate', 'status', id.slice(0, 8))).toMatch(/Basel +site-\S+ +connected/);

  expect(await output('federate', 'pause', 'last', '--reason', 'a holiday')).toContain(
    'paused: a holiday',
  );
  expect(await refused('federate', 'pause', 'nothing')).toContain('No federation begins with');
  expect(await output('federate', 'resume', 'last')).toMatch(/status +running/);
  expect(await refused('federate', 'revoke', 'last', 'Lyon')).toMatch(
    /has no site "Lyon"\. .*no site has opened cannot be revoked.*skein help federate revoke/s,
  );
  expect(await output('federate', 'revoke', 'last', 'Basel')).toContain(
    `Basel takes part in ${id} no more`,
  );
  expect(await output('federate', 'status', 'last')).toMatch(/Basel +site-\S+ +revoked/);
  // So that it does not end first.
  await output('federate', 'pause', 'last');
  // Invited anew by the same name, it is the new one that is meant; of two, neither.
  const links = await Promise.all(
    ['anew', 'twin'].map(async () => output('federate', 'invite', 'last', 'Basel')),
  );
  const others = links.map((text, index) =>
    scene.start(
      `other ${index}`,
      'join',
      /http\S+#skein-join_\S+/.exec(text)?.[0] ?? '',
      '--data',
      join(folder, 'Basel.csv'),
      '--accept',
      '--plain-updates',
    ),
  );
  const joined = async () => (await client.getFederation({ id })).sites.length;
  await expect.poll(joined, { timeout: 60_000 }).toBe(3);
  expect(await refused('federate', 'revoke', 'last', 'Basel')).toMatch(
    /2 sites are called "Basel": name one of site-\S+, site-/,
  );
  const active = async () =>
    (await client.getFederation({ id })).sites.filter(({ revokedAt }) => revokedAt === undefined);
  await output('federate', 'revoke', 'last', (await active())[0]!.pseudonym);
  expect(await active()).toHaveLength(1);
  await output('federate', 'revoke', 'last', 'Basel');
  expect(await active()).toEqual([]);
  await Promise.all(others.map((each) => each.ended));
  expect(await output('federate', 'stop', 'last', '--reason', 'enough')).toContain(
    'stopped: enough',
  );
  expect(await refused('federate', 'resume', 'last')).toContain('FEDERATION_ENDED');
  await site.ended;

  await output('ledger', 'export', 'last', '--out', 'heart.json');
  expect(await output('ledger', 'verify', 'heart.json')).toContain(
    'Nothing in the ledger was changed',
  );
  const ledger = await readFile(join(folder, 'heart.json'), 'utf8');
  for (const reason of ['a holiday', 'by the operator', 'enough']) expect(ledger).toContain(reason);

  const finished = { ...(await client.getFederation({ id })), version: '2' };
  const byNpx = styleOf({}, { npm_command: 'exec' });
  expect(renderFederation(finished, byNpx)).toContain('npx skein rollout heart --version 2');
}, 300_000);
