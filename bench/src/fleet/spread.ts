/** The time from a change on one node until it holds on all: for a deployment, and for a revocation. */
import { createClient } from '@skein/api/client';
import { quantile } from '../harness/statistics.ts';
import { type FleetNodes, importSmall, infer, SETTINGS, since, type SharedRows } from './nodes.ts';

export const SPREAD: SharedRows = {
  measures: [
    {
      key: 'deploy_spread_s',
      what: 'deploy on one node to served on all of 16 processes, small model, p99',
      unit: ' s',
      target: { atMost: 3 },
    },
    {
      key: 'revoke_ms',
      what: 'revocation to refused on all of 16 processes, p99',
      unit: ' ms',
      target: { atMost: 1000 },
    },
  ],
  async measure(fleet, { quick, progress }) {
    progress('deployments');
    const deploys = await repeated(quick ? 3 : 10, (round) => deployed(fleet, round));
    progress('revocations');
    const revocations = await repeated(quick ? 10 : 30, (round) => revoked(fleet, round));
    return {
      results: {
        deploy_spread_s: quantile(deploys, 0.99) / 1000,
        revoke_ms: quantile(revocations, 0.99),
      },
      details: {
        spread: {
          nodes: fleet.urls.length,
          deploy_p50_ms: quantile(deploys, 0.5),
          revoke_p50_ms: quantile(revocations, 0.5),
        },
      },
    };
  },
};

async function repeated(
  times: number,
  measure: (round: number) => Promise<number>,
): Promise<number[]> {
  const taken: number[] = [];
  for (let round = 0; round < times; round++) taken.push(await measure(round));
  return taken;
}

/** From the request to the first answer of the last node. */
async function deployed({ client, urls, key }: FleetNodes, round: number): Promise<number> {
  const name = `model-${round}`;
  const version = await importSmall(client, name, round);
  const begun = performance.now();
  const deploying = client.deploy({ name, version, settings: SETTINGS });
  const served = urls.map((url) => since(begun, async () => (await infer(url, name, key)) === 200));
  await deploying;
  const last = Math.max(...(await Promise.all(served)));
  await client.undeploy({ name });
  return last;
}

/** From the request to the first refusal of the last node. */
async function revoked({ urls, key }: FleetNodes, round: number): Promise<number> {
  const client = createClient({ url: urls[round % urls.length]!, key });
  const created = await client.createKey({ label: 'bench', tenant: 'bench', scopes: ['read'] });
  const headers = { authorization: `Bearer ${created.secret}` };
  const statusIs = async (url: string, status: number): Promise<boolean> => {
    const response = await fetch(`${url}/api/v1/node`, { headers });
    await response.arrayBuffer();
    return response.status === status;
  };
  await Promise.all(urls.map((url) => since(0, () => statusIs(url, 200))));
  const begun = performance.now();
  const revoking = client.revokeKey({ id: created.id });
  const refused = urls.map((url) => since(begun, () => statusIs(url, 401), 2));
  await revoking;
  return Math.max(...(await Promise.all(refused)));
}
