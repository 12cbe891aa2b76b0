import type { FederationStatistics } from '@skein/api';
import type { ManagementOptions, NodeHandlers } from '../options.ts';

export function federationHandlers({ federations }: Pick<ManagementOptions, 'federations'>) {
  const change =
    (to: 'pause' | 'resume' | 'stop') =>
    async ({
      params: { id },
      body: { reason },
    }: {
      readonly params: { readonly id: string };
      readonly body: { readonly reason: string };
    }) => {
      const coordinator = await federations.coordinator();
      await coordinator[to](id, reason);
      return federations.view(id);
    };
  return {
    listFederations: async () => ({ federations: await federations.list() }),
    getFederation: ({ params: { id } }) => federations.view(id),
    startFederation: ({ body }) => federations.start(body),
    async inviteSite({ params: { id }, body }) {
      return { invitation: await (await federations.coordinator()).invite(id, body) };
    },
    async revokeSite({ params: { id, key } }) {
      await (await federations.coordinator()).revoke(id, key);
      return undefined;
    },
    pauseFederation: change('pause'),
    resumeFederation: change('resume'),
    stopFederation: change('stop'),
    async getStatistics({ params: { id }, query }) {
      const { reportOf } = await import('@skein/federation/statistics');
      const statistics = await (await federations.coordinator()).statistics(id);
      const shown = { ...statistics, report: reportOf(statistics, query) };
      return shown as unknown as FederationStatistics;
    },
    async getLedger({ params: { id } }) {
      return (await federations.coordinator()).ledger(id);
    },
  } satisfies Partial<NodeHandlers>;
}
