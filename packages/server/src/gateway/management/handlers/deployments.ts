import type { ManagementOptions, NodeHandlers } from '../options.ts';

export function deploymentHandlers({
  control,
  state,
}: Pick<ManagementOptions, 'control' | 'state'>) {
  return {
    listDeployments: () => ({ deployments: [...control.views()] }),
    getDeployment: ({ params }) => control.view(params.name),
    deploy: ({ body: { name, version, settings, plan }, caller }) =>
      control.deploy({ name, version, settings, plan }, caller.actor),
    checkDeploy({ params, body }) {
      control.check({ ...body, name: params.name });
      return undefined;
    },
    changeSettings: ({ params, body, caller }) =>
      control.changeSettings(params.name, body.settings, caller.actor),
    rollback: ({ params, body, caller }) =>
      control.rollback(params.name, body.reason, caller.actor),
    async undeploy({ params, caller }) {
      await control.undeploy(params.name, caller.actor);
      return undefined;
    },
    rolloutEvidence: async ({ params }) => ({ evidence: await control.evidence(params.name) }),
    deploymentTraffic: ({ params, query }) => control.traffic(params.name, query.range),
    async deploymentHistory({ params, query }) {
      const entries = await state.history({ deployment: params.name, ...query });
      // The history of a removed deployment stays readable; only a name that never existed is
      // unknown.
      if (entries.length === 0 && query.before === undefined) control.view(params.name);
      return { entries };
    },
    listHistory: async ({ query }) => ({ entries: await state.history(query) }),
  } satisfies Partial<NodeHandlers>;
}
