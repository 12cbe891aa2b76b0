/**
 * The language models of a node: the gateway over what is declared, opened at the first call.
 *
 * A change of the declarations opens a new gateway beside the old one, which is closed when its last
 * request has ended. In a fleet another node may have changed them: what is older than a moment is
 * read again, behind the request that notices.
 */
import { isDeepStrictEqual } from 'node:util';
import { type GenerativeSettings, type LanguageView, SkeinError } from '@skein/api';
import type { Gateway, GatewayOptions, Outcome } from '@skein/generative';
import type { GatewayLogger } from '@skein/http';
import type { State } from '@skein/state';
import { type Declarations, declarationsIn } from './declarations.ts';
import type { LanguageUse } from './use.ts';

/** How old the declarations may be that a request is answered by, in milliseconds. */
const FRESH_MS = 2000;

export interface LanguageModelsOptions {
  readonly state: State;
  readonly use: LanguageUse;
  readonly weightOf: NonNullable<GatewayOptions['weightOf']>;
  readonly logger: GatewayLogger;
  /** Records each request where traces are exported. */
  readonly traced: (gateway: Gateway) => Gateway;
}

export interface LanguageModels {
  /** @throws SkeinError PROVIDER_INVALID when what is declared cannot be opened. */
  gateway(): Promise<Gateway>;
  /** Changes are in force when they resolve. */
  readonly declarations: Declarations;
  view(): Promise<LanguageView>;
  /** Ends every request. */
  close(): Promise<void>;
}

interface Held {
  readonly settings: GenerativeSettings;
  readonly gateway: Gateway;
  /** What the faces call. */
  readonly counted: Gateway;
  retire(): void;
}

export function createLanguageModels(options: LanguageModelsOptions): LanguageModels {
  const { state, use, weightOf, logger, traced } = options;
  const stored = declarationsIn(state);
  let held: Held | undefined;
  let readAt = -Infinity;
  let updating: Promise<Held> | undefined;
  let isClosed = false;
  const open = new Set<Gateway>();

  async function openHeld(settings: GenerativeSettings): Promise<Held> {
    // Loaded with the first language model: a node without one pays nothing for them.
    const { openGateway } = await import('@skein/generative');
    let inFlight = 0;
    let isRetired = false;
    const closeIfIdle = (): void => {
      if (isRetired && inFlight === 0 && open.delete(gateway)) void gateway.close();
    };
    const observe = (outcome: Outcome): void => {
      use.observe(outcome);
      inFlight -= 1;
      closeIfIdle();
    };
    const gateway = await openGateway({ settings, state, weightOf, observe });
    open.add(gateway);
    const counted: Gateway = {
      ...gateway,
      generate(request, caller) {
        inFlight += 1;
        return gateway.generate(request, caller);
      },
      embed(request, caller) {
        inFlight += 1;
        return gateway.embed(request, caller);
      },
    };
    return {
      settings,
      gateway,
      counted: traced(counted),
      retire() {
        isRetired = true;
        closeIfIdle();
      },
    };
  }

  /** Reads the declarations, and opens a gateway over them if they have changed. */
  function update(): Promise<Held> {
    return (updating ??= (async () => {
      try {
        if (isClosed) throw new SkeinError('NODE_DRAINING', 'The node is shutting down.');
        readAt = performance.now();
        const settings = await stored.settings();
        if (held !== undefined && isDeepStrictEqual(held.settings, settings)) return held;
        const next = await openHeld(settings);
        held?.retire();
        return (held = next);
      } finally {
        updating = undefined;
      }
    })());
  }

  async function current(): Promise<Held> {
    if (held === undefined || isClosed) return update();
    if (performance.now() - readAt > FRESH_MS) {
      update().catch((error: unknown) =>
        logger.warn({ err: error }, 'The declarations of language models cannot be read.'),
      );
    }
    return held;
  }

  const applied = async (change: Promise<void>): Promise<void> => {
    await change;
    // One that began before the change may have missed it.
    await updating?.catch(() => undefined);
    await update();
  };
  const declarations: Declarations = {
    settings: () => stored.settings(),
    async putProvider(provider) {
      // Before it is stored: a node that cannot open it would serve no model.
      const settings = { ...(await stored.settings()), models: [], providers: [provider] };
      const trial = await openHeld(settings);
      trial.retire();
      await applied(stored.putProvider(provider));
    },
    putModel: (model) => applied(stored.putModel(model)),
    putBudget: (budget) => applied(stored.putBudget(budget)),
    putTenant: (tenant, providers) => applied(stored.putTenant(tenant, providers)),
    removeProvider: (name) => applied(stored.removeProvider(name)),
    removeModel: (name) => applied(stored.removeModel(name)),
    removeBudget: (subject, period) => applied(stored.removeBudget(subject, period)),
    removeTenant: (tenant) => applied(stored.removeTenant(tenant)),
  };

  return {
    gateway: async () => (await current()).counted,
    declarations,
    async view() {
      const settings = await stored.settings();
      const isDeclared = settings.models.length > 0 || settings.providers.length > 0;
      // A look must not load the code of language models.
      if (!isDeclared) return { settings, models: [], budgets: [], use: use.views() };
      try {
        const { gateway } = await current();
        const { models, budgets } = await gateway.view();
        return {
          settings,
          models: models.map(({ routes, ...model }) => ({
            ...model,
            routes: routes.map((route) => ({ ...route, quotas: { ...route.quotas } })),
          })),
          budgets: [...budgets],
          use: use.views(),
        };
      } catch (error) {
        const problem = error instanceof SkeinError ? error.message : 'A fault; see the log.';
        if (!(error instanceof SkeinError)) logger.error({ err: error }, 'No language models.');
        return { settings, models: [], budgets: [], use: use.views(), problem };
      }
    },
    async close() {
      isClosed = true;
      await updating?.catch(() => undefined);
      await Promise.all([...open].map((gateway) => gateway.close()));
      open.clear();
      await use.close();
    },
  };
}
