import type { LanguageView } from '@skein/api';
import type { ManagementOptions, NodeHandlers } from '../options.ts';

export function languageHandlers({
  languageModels: { declarations, rollouts, view, check },
}: Pick<ManagementOptions, 'languageModels'>) {
  const nothing = async (done: Promise<void>): Promise<undefined> => {
    await done;
    return undefined;
  };
  return {
    async getLanguageModels({ caller }) {
      const found = await view();
      return caller.scopes.includes('admin') ? found : withoutHeaders(found);
    },
    putProvider: ({ params: { name }, body }) =>
      nothing(declarations.putProvider({ ...body, name })),
    removeProvider: ({ params: { name } }) => nothing(declarations.removeProvider(name)),
    putLanguageModel: ({ params: { name }, body }) =>
      nothing(declarations.putModel({ ...body, name })),
    removeLanguageModel: ({ params: { name } }) => nothing(declarations.removeModel(name)),
    async checkLanguageModel({ params: { name } }) {
      const routes = (await check(name)).map(({ problem, ...route }) => {
        if (problem === undefined) return route;
        const { code, message, row } = problem;
        return { ...route, problem: { code, message, fix: row.fix } };
      });
      return { routes };
    },
    rollOutLanguageModel: ({ params: { name }, body, caller }) =>
      rollouts.start(name, body, caller.actor),
    rollBackLanguageModel: ({ params: { name }, body, caller }) =>
      rollouts.rollBack(name, body.reason, caller.actor),
    putBudget: ({ params, body }) => nothing(declarations.putBudget({ ...params, ...body })),
    removeBudget: ({ params: { subject, period } }) =>
      nothing(declarations.removeBudget(subject, period)),
    putTenantProviders: ({ params: { tenant }, body: { providers } }) =>
      nothing(declarations.putTenant(tenant, providers)),
    removeTenantProviders: ({ params: { tenant } }) => nothing(declarations.removeTenant(tenant)),
    putRedaction: ({ params: { name }, body }) =>
      nothing(declarations.putRedaction({ ...body, name })),
    removeRedaction: ({ params: { name } }) => nothing(declarations.removeRedaction(name)),
    putStoredResponses: ({ body }) => nothing(declarations.putResponses(body)),
    removeStoredResponses: () => nothing(declarations.removeResponses()),
  } satisfies Partial<NodeHandlers>;
}

/** For callers that may only read: some providers take their key in a header of their own. */
function withoutHeaders({ settings, ...view }: LanguageView): LanguageView {
  const hidden = (headers: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.keys(headers).map((name) => [name, '[hidden]']));
  const providers = settings.providers.map((each) =>
    each.headers === undefined ? each : { ...each, headers: hidden(each.headers) },
  );
  return { ...view, settings: { ...settings, providers } };
}
