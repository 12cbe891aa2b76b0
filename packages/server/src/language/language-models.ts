/**
 * The language models of a node: the gateway over what is declared, opened at the first call.
 *
 * A change of the declarations opens a new gateway next to the old one, which is closed when its last
 * request has ended. In a fleet another node may have changed them. They are read again behind a
 * request, and before one that would be answered by older ones than a moment: a redaction, a budget or
 * the providers of a tenant hold for the first request after a pause too.
 */
import { resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { type LanguageSettings, type LanguageView, SkeinError } from '@skein/api';
import { within } from '@skein/api/waits';
import type {
  EmbedDeployed,
  Gateway,
  GatewayOptions,
  RedactionCounts,
  RolloutTraffic,
  RouteMemory,
} from '@skein/generative';
import type { Exposition, GatewayLogger } from '@skein/http';
import type { State } from '@skein/state';
import {
  type Declarations,
  declarationsIn,
  providersDeclaredAt,
  settingsOf,
} from './declarations.ts';
import { countInFlight } from './in-flight.ts';
import { type KeptResponses, keptResponses } from './kept-responses.ts';
import { exposeBreakers } from './breaker-metrics.ts';
import { exposeRollouts } from './rollout/metrics.ts';
import { isRunning, ROLLOUT, rolloutsOf } from './rollout/records.ts';
import { createLanguageRollouts, type LanguageRollouts } from './rollout/rollouts.ts';
import { exposeRedactions } from './redaction-metrics.ts';
import { sealKey } from './seal-key.ts';
import { createSpentQuotas } from './spent-quotas.ts';
import type { Caller } from '../access/contract.ts';
import type { WrapGateway } from '../telemetry/traces/traced-gateway.ts';
import type { LanguageUse } from './use.ts';
import { createUnopenedProviders, reasonOf } from './unopened-providers.ts';

/** How old the declarations may be that a request is answered by, in milliseconds. */
const FRESH_MS = 2000;
/** How old they are when a request has them read again behind it: a busy node never waits for them. */
const REFRESH_MS = FRESH_MS / 2;
/** The longest that a request waits for them. A store that is away must not hold up the declarations in memory. */
const WAIT_MS = 500;

export interface LanguageModelsOptions {
  readonly state: State;
  readonly use: LanguageUse;
  readonly weightOf: NonNullable<GatewayOptions['weightOf']>;
  readonly logger: GatewayLogger;
  /** Vectors of deployed text encoders. */
  readonly embed: EmbedDeployed;
  /** Records each request where traces are exported. */
  readonly traced: WrapGateway;
}

export interface LanguageModels {
  /** @throws SkeinError PROVIDER_INVALID when what is declared cannot be opened. */
  gateway(): Promise<Gateway>;
  /** The stored responses of a caller; undefined: this node keeps none. @throws SkeinError as `gateway` does. */
  responses(caller: Caller): Promise<KeptResponses | undefined>;
  /** See `seal-key.ts`. */
  readonly sealKey: () => Promise<Buffer | undefined>;
  /** Changes are in force when they resolve. */
  readonly declarations: Declarations;
  readonly rollouts: Pick<LanguageRollouts, 'start' | 'rollBack'>;
  view(): Promise<LanguageView>;
  /** Asks the providers of a model whether they have it. @throws SkeinError MODEL_UNKNOWN. */
  check(name: string): ReturnType<Gateway['check']>;
  /** Metrics of the rollouts in progress. */
  expose(into: Exposition): void;
  /** Ends every request. */
  close(): Promise<void>;
}

interface Held {
  readonly settings: LanguageSettings;
  /** When each provider was declared. */
  readonly declaredAt: ReadonlyMap<string, string>;
  readonly gateway: Gateway;
  /** The gateway that the faces call. */
  readonly traced: Gateway;
  /** The same for a request that is traced already. */
  readonly untraced: Gateway;
  retire(): void;
}

export function createLanguageModels(options: LanguageModelsOptions): LanguageModels {
  const { state, use, weightOf, embed, logger, traced } = options;
  const stored = declarationsIn(state);
  let held: Held | undefined;
  let readAt = -Infinity;
  /** When what is held was read. */
  let freshAt = -Infinity;
  let isStoreAway = false;
  let updating: Promise<Held> | undefined;
  let isClosed = false;
  const open = new Set<Gateway>();
  const unopened = createUnopenedProviders(logger);
  let traffic: RolloutTraffic | undefined;
  let redacted: RedactionCounts | undefined;
  let memory: RouteMemory | undefined;
  const quotas = createSpentQuotas(state, () => memory, logger);

  /** @param onUnopened called with providers that cannot be opened; absent: then it fails. */
  async function openHeld(
    settings: LanguageSettings,
    declaredAt: Held['declaredAt'] = new Map(),
    onUnopened?: GatewayOptions['unopened'],
  ): Promise<Held> {
    // Loaded with the first language model: a node without one pays nothing for them.
    const generative = await import('@skein/generative');
    traffic ??= generative.createRolloutTraffic();
    redacted ??= generative.createRedactionCounts();
    memory ??= generative.createRouteMemory((quota) => void quotas.keep(quota));
    const redacting = generative.redacting(settings.redactions, redacted);
    let isRetired = false;
    const closeIfIdle = (): void => {
      if (isRetired && inFlight.count === 0 && open.delete(gateway)) void gateway.close();
    };
    const inFlight = countInFlight(closeIfIdle);
    const gateway = await generative.openGateway({
      settings,
      state,
      weightOf,
      observe: use.observe,
      observeLoss: use.observeLoss,
      rollouts: traffic,
      memory,
      embed,
      unopened: onUnopened,
    });
    open.add(gateway);
    const redactingGateway = redacting({
      ...gateway,
      generate: async (request, caller) =>
        inFlight.whileRead(await gateway.generate(request, caller), caller.signal),
    });
    /**
     * A change may close the gateway while a request that has got it is still read; then all of the change
     * holds for it. From here on none does: it is redacted by the declarations that it is sent by.
     */
    async function enter<Result>(call: (gateway: Gateway) => Promise<Result>): Promise<Result> {
      if (isRetired && !open.has(gateway)) return call((await current()).untraced);
      return inFlight.during(() => call(redactingGateway));
    }
    const untraced: Gateway = {
      ...redactingGateway,
      generate: (request, caller) => enter((entered) => entered.generate(request, caller)),
      embed: (request, caller) => enter((entered) => entered.embed(request, caller)),
      countTokens: (request, caller) => enter((entered) => entered.countTokens(request, caller)),
    };
    return {
      settings,
      declaredAt,
      gateway,
      untraced,
      traced: traced(untraced, (name) =>
        generative.systemOf(settings.providers.find((provider) => provider.name === name)),
      ),
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
        const begunAt = performance.now();
        readAt = begunAt;
        const records = await state.declarations();
        const settings = settingsOf(records);
        const declaredAt = providersDeclaredAt(records);
        const isChanged =
          !isDeepStrictEqual(held?.settings, settings) ||
          // Declared again as it was: its secret may be another one, and it is worth asking again.
          !isDeepStrictEqual(held?.declaredAt, declaredAt);
        if (held === undefined || isChanged) {
          unopened.clear();
          const next = await openHeld(settings, declaredAt, unopened.note);
          for (const [name, at] of held === undefined ? [] : declaredAt) {
            if (held?.declaredAt.get(name) !== at) memory?.drop(name);
          }
          const kept = held?.settings.responses !== undefined;
          held?.retire();
          held = next;
          // Each node does so when it keeps none any more: one of them may have written meanwhile.
          if (kept && settings.responses === undefined) await state.responses.removeResponses();
        }
        quotas.follow(records, begunAt, declaredAt);
        rollouts.follow(records);
        freshAt = begunAt;
        isStoreAway = false;
        return held;
      } catch (error) {
        isStoreAway = true;
        throw error;
      } finally {
        updating = undefined;
      }
    })());
  }

  async function current(): Promise<Held> {
    if (held === undefined || isClosed) return update();
    const known = held;
    const now = performance.now();
    if (now - freshAt <= REFRESH_MS) return known;
    // A store that is away is asked once in a while, whatever the rate of the requests.
    if (updating === undefined && now - readAt <= REFRESH_MS) return known;
    // A store that was away before a pause may be back.
    const isAway = isStoreAway && now - readAt <= 2 * FRESH_MS;
    const updated = update().catch((error: unknown) => {
      logger.warn({ err: error }, 'The declarations of language models cannot be read.');
      return known;
    });
    if (now - freshAt <= FRESH_MS || isAway) return known;
    return within(updated, WAIT_MS, () => {
      isStoreAway = true;
      return known;
    });
  }

  const applied = async (change: Promise<void>): Promise<void> => {
    await change;
    // One that began before the change may have missed it.
    await updating?.catch(() => undefined);
    await update();
  };
  const rollouts = createLanguageRollouts({
    state,
    logger,
    traffic: () => traffic,
    requireProviders: (names) => stored.requireProviders(names),
    putModel: (model) => stored.putModel(model),
    modelOf: async (name) => (await stored.settings()).models.find((model) => model.name === name),
    refresh: () => applied(Promise.resolve()),
  });
  const rolloutsNow = async () => rolloutsOf(await state.declarations());
  /** @throws SkeinError ROLLOUT_IN_PROGRESS. */
  async function forgetRollout(name: string): Promise<void> {
    const rollout = (await rolloutsNow()).find(({ model }) => model === name);
    if (rollout === undefined) return;
    if (isRunning(rollout)) {
      throw new SkeinError(
        'ROLLOUT_IN_PROGRESS',
        `The language model ${name} is being rolled out.`,
      );
    }
    await state.removeDeclaration(ROLLOUT, name);
  }
  const redactionsOf = (settings: LanguageSettings | undefined): LanguageView['redactions'] =>
    (settings?.redactions ?? []).map(({ name }) => {
      const { prompts, answers } = redacted?.of(name) ?? { prompts: 0, answers: 0 };
      return { name, prompts, answers };
    });
  const responsesOptions = {
    responses: state.responses,
    policy: () => held?.settings.responses,
    logger,
  };
  const declarations: Declarations = {
    settings: () => stored.settings(),
    requireProviders: (names) => stored.requireProviders(names),
    async putProvider(given) {
      // The next start may be in another directory.
      const provider = given.path === undefined ? given : { ...given, path: resolve(given.path) };
      // Before it is stored: on a node that cannot open it, its routes are away.
      const settings = { ...(await stored.settings()), models: [], providers: [provider] };
      const trial = await openHeld(settings);
      try {
        await applied(stored.putProvider(provider));
      } finally {
        // A model of this machine is loaded once: the gateway in force has taken over its process.
        trial.retire();
      }
    },
    async putModel(model) {
      await stored.requireProviders(model.routes.map(({ provider }) => provider));
      // To routes of an operator, a rollback would return to others than they replace.
      await forgetRollout(model.name);
      await applied(stored.putModel(model));
    },
    putBudget: (budget) => applied(stored.putBudget(budget)),
    putTenant: (tenant, providers) => applied(stored.putTenant(tenant, providers)),
    async removeProvider(name) {
      const user = (await rolloutsNow()).find(
        (each) => isRunning(each) && each.candidate.provider === name,
      );
      if (user !== undefined) {
        const text = `The language model "${user.model}" is being rolled out to the provider "${name}".`;
        throw new SkeinError('PROVIDER_INVALID', text);
      }
      await applied(stored.removeProvider(name));
    },
    async removeModel(name) {
      await forgetRollout(name);
      await applied(stored.removeModel(name));
    },
    removeBudget: (subject, period) => applied(stored.removeBudget(subject, period)),
    removeTenant: (tenant) => applied(stored.removeTenant(tenant)),
    async putRedaction(redaction) {
      const { redacting } = await import('@skein/generative');
      // Before it is stored: a node that cannot read its pattern would serve no model.
      redacting([redaction]);
      await applied(stored.putRedaction(redaction));
    },
    removeRedaction: (name) => applied(stored.removeRedaction(name)),
    putResponses: (policy) => applied(stored.putResponses(policy)),
    async removeResponses() {
      // Known before it ends, so that what is stored ends with it.
      await current();
      await applied(stored.removeResponses());
    },
  };

  return {
    gateway: async () => (await current()).traced,
    async responses(caller) {
      const { settings } = await current();
      return settings.responses && keptResponses(caller, responsesOptions);
    },
    sealKey: sealKey(state.secrets),
    declarations,
    rollouts,
    expose(into) {
      exposeBreakers(held?.gateway.standing() ?? [], into);
      exposeRollouts(traffic?.all() ?? [], into);
      exposeRedactions(redactionsOf(held?.settings), into);
    },
    async view() {
      const settings = await stored.settings();
      const redactions = redactionsOf(settings);
      const { models: named, providers, budgets: bounds } = settings;
      const isDeclared = named.length + providers.length + bounds.length > 0;
      // A look must not load the code of language models.
      if (!isDeclared) {
        const nothing = { models: [], budgets: [], rollouts: [] };
        return { settings, ...nothing, redactions, use: use.views() };
      }
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
          rollouts: await rollouts.views(),
          redactions,
          use: use.views(),
          problem: unopened.text(),
        };
      } catch (error) {
        const problem = reasonOf(error);
        if (!(error instanceof SkeinError)) logger.error({ err: error }, 'No language models.');
        const nothing = { models: [], budgets: [], rollouts: [] };
        return { settings, ...nothing, redactions, use: use.views(), problem };
      }
    },
    check: async (name) => (await current()).untraced.check(name),
    async close() {
      isClosed = true;
      await rollouts.close();
      await updating?.catch(() => undefined);
      await Promise.all([...open].map((gateway) => gateway.close()));
      open.clear();
      await use.close();
    },
  };
}
