/**
 * The gateway, which the faces call. It holds the models, decides who may use which, answers from
 * the cache, and gives every request to `execute`, which follows it to its end.
 */

import {
  type LanguageProvider,
  type LanguageRoute,
  LanguageSettings,
  refuseUnknown,
  validate,
} from '@skein/api';
import { SkeinError } from '@skein/api/errors';
import { isDeterministic } from './cache/request-key.ts';
import { NOTHING } from './call.ts';
import { createSharedAnswers } from './cache/shared-answers.ts';
import { checkedGateway, checkObject } from './checked-gateway.ts';
import { checkRequest } from './check-request.ts';
import { checkRoutes } from './check-routes.ts';
import { continued, isContinuable } from './continuation.ts';
import type {
  Caller,
  Gateway,
  GenerateRequest,
  Generation,
  Provider,
  Receipt,
} from './contract.ts';
import { embedDeployed } from './embed-deployed.ts';
import { FieldError } from './field-error.ts';
import { execute, type Answer } from './execute.ts';
import type { Execution, LostCall, Model } from './execution.ts';
import { executeOnce } from './execute-once.ts';
import { GATEWAY_OPTIONS, type GatewayOptions } from './gateway-options.ts';
import { createGenerations } from './generation.ts';
import { checkBoundedEmbed, checkBoundedRequest } from './money/bounded-fields.ts';
import { openLedger, payerOf } from './money/ledger.ts';
import { memoryBudgets } from './money/memory-budgets.ts';
import { inputTokens, NANO_DOLLARS, promptTokens } from './money/price.ts';
import { openProvider, PROVIDERS } from './providers/providers.ts';
import { unopenedProvider } from './providers/unopened.ts';
import { createHedgeBudget } from './routing/hedge-budget.ts';
import { createPlaces, type Places } from './routing/places.ts';
import { createRoute, type Route } from './routing/route.ts';
import { createRouteMemory } from './routing/route-memory.ts';
import { createAssigner } from './rollout/assign.ts';
import { createCopier } from './rollout/copy.ts';
import { createRolloutTraffic } from './rollout/traffic.ts';
import { modelView } from './gateway-view.ts';
import type { ModelView } from './views.ts';

interface OpenedProvider {
  readonly provider: Provider;
  readonly places: Places;
  /** Names the upstream and the credential for it. */
  readonly backend: string;
}

const CONTINUATION = 'skein_continuation';
/** Places of a provider that is open already, which bounds itself. */
const OWN_PLACES = 1024;

/** @throws SkeinError PROVIDER_INVALID, REQUEST_INVALID. */
export async function openGateway(options: GatewayOptions): Promise<Gateway> {
  checkObject('The options', options);
  refuseUnknown(options, GATEWAY_OPTIONS, 'options object');
  const settings = validate(LanguageSettings, options.settings, 'settings');
  const { state, weightOf = () => 1, clock = performance, random = Math.random } = options;
  const {
    observe,
    observeLoss,
    rollouts = createRolloutTraffic(),
    memory = createRouteMemory(),
  } = options;
  const declared = new Map(settings.providers.map((each) => [each.name, each]));
  const providers = new Map<string, OpenedProvider>();
  const opened: Provider[] = [];
  const models = await openModels().catch(async (error: unknown) => {
    await closeProviders();
    throw error;
  });
  const ledger = openLedger(settings.budgets, state?.budgets ?? memoryBudgets());
  const allowed = new Map(settings.allow.map(({ tenant, providers: names }) => [tenant, names]));
  const copier = createCopier({ ledger, clock, random });
  const assign = createAssigner(rollouts, (name, route) => routeTo(name, route, 0), random);
  const shared = createSharedAnswers({ clock, execute: executed });
  const { generationOf, report } = createGenerations({ observe, clock });
  const createdAt = new Date().toISOString();
  let isClosed = false;

  async function openModels(): Promise<ReadonlyMap<string, Model>> {
    const add = (provider: Provider, count: number, backend: string): void => {
      const places = createPlaces(count, weightOf, clock);
      providers.set(provider.name, { provider, places, backend });
    };
    for (const provider of options.providers ?? []) add(provider, OWN_PLACES, provider.name);
    const factories = { ...PROVIDERS, ...options.factories };
    for (const each of settings.providers) {
      const { provider, backend } = await openProvider(each, factories).catch((error: unknown) => {
        if (options.unopened === undefined) throw error;
        options.unopened(each.name, error);
        return unopened(each, async () => (await openProvider(each, factories)).provider);
      });
      opened.push(provider);
      add(provider, each.maxConcurrent, backend);
    }
    return new Map(settings.models.map((each) => [each.name, modelOf(each)]));
  }

  function unopened(
    each: LanguageProvider,
    open: () => Promise<Provider>,
  ): Pick<OpenedProvider, 'provider' | 'backend'> {
    const provider = unopenedProvider({
      settings: each,
      open,
      failed: (error) => options.unopened?.(each.name, error),
      opened: () => options.unopened?.(each.name, undefined),
    });
    // It is its own backend: other providers at the same address may have their key.
    return { provider, backend: `unopened ${each.name}` };
  }

  async function closeProviders(): Promise<void> {
    await Promise.allSettled(opened.map((provider) => provider.close()));
  }

  function routeTo(name: string, route: LanguageRoute, index: number): Route | undefined {
    const found = providers.get(route.provider);
    if (found === undefined) return undefined;
    const known = memory.routeOf(
      JSON.stringify([name, declared.get(route.provider) ?? route.provider, route.model]),
      found.backend,
      route.provider,
    );
    return createRoute(index, route, found.provider, found.places, known);
  }

  function modelOf(each: (typeof settings.models)[number]): Model {
    const routes = each.routes.map((route, index): Route => {
      const found = routeTo(each.name, route, index);
      if (found !== undefined) return found;
      const text = `The model ${each.name} names the provider ${route.provider}, which is not declared.`;
      throw new SkeinError('PROVIDER_INVALID', text);
    });
    return { settings: each, routes, hedges: createHedgeBudget() };
  }

  /** A request after the close would open connections that stay open. @throws SkeinError NODE_DRAINING. */
  function assertOpen(): void {
    if (isClosed) throw new SkeinError('NODE_DRAINING', 'The gateway is closed.');
  }

  /** @throws SkeinError MODEL_UNKNOWN, PROVIDER_FORBIDDEN. */
  function routesOf(name: string, tenant: string): Pick<Execution, 'model' | 'routes'> {
    const model = models.get(name);
    if (model === undefined || model.settings.tenants?.includes(tenant) === false) {
      throw unknownModel(name);
    }
    const names = allowed.get(tenant);
    const routes =
      names === undefined
        ? model.routes
        : model.routes.filter(({ settings: { provider } }) => names.includes(provider));
    if (routes.length === 0) {
      const text = `No provider of ${name} is allowed to the tenant ${tenant}.`;
      throw new SkeinError('PROVIDER_FORBIDDEN', text);
    }
    return { model, routes };
  }

  /** @throws SkeinError NODE_DRAINING, MODEL_UNKNOWN, PROVIDER_FORBIDDEN. */
  function executionOf(name: string, caller: Caller): Execution {
    assertOpen();
    const { model, routes } = routesOf(name, caller.tenant);
    const { requestId, tenant, key, payer } = caller;
    const lost = ({ provider, nanoDollars, usage }: LostCall): void =>
      observeLoss?.({
        caller: { requestId, tenant, key, payer },
        model: name,
        provider,
        usage,
        costUsd: nanoDollars / NANO_DOLLARS,
      });
    return { model, routes, caller, ledger, clock, random, lost };
  }

  /** Over the routes that continue an answer. @throws SkeinError GENERATION_UNSUPPORTED. */
  function continuing(execution: Execution, request: GenerateRequest): Execution {
    if (!isContinuable({ ...request, stream: true })) {
      const text = 'Only one answer of text is continued: without tools and without a schema.';
      throw new FieldError(CONTINUATION, text, 'GENERATION_UNSUPPORTED');
    }
    const routes = execution.routes.filter(({ provider }) => provider.continues === true);
    if (routes.length > 0) return { ...execution, routes, assignment: undefined };
    const text = `No provider of ${execution.model.settings.name} continues an answer.`;
    throw new FieldError(CONTINUATION, text, 'GENERATION_UNSUPPORTED');
  }

  /** Executes a request, and copies it where the model has a shadow. */
  async function executed(execution: Execution, request: GenerateRequest): Promise<Answer> {
    const { assignment, caller, model } = execution;
    const answer =
      caller.continues === true && isContinuable(request)
        ? await continued(execution, request)
        : await execute(execution, request);
    if (assignment !== undefined && random() < assignment.rollout.copied) {
      copier.copy(assignment, request, caller, model.settings);
    }
    return answer;
  }

  async function countTokens(request: GenerateRequest, caller: Caller): Promise<number> {
    const execution = executionOf(request.model, caller);
    checkRequest(request);
    const routes = execution.routes.filter(({ provider }) => provider.countTokens !== undefined);
    if (routes.length === 0) {
      const text = `No provider of ${request.model.slice(0, 128)} counts tokens without an answer.`;
      throw new SkeinError('GENERATION_UNSUPPORTED', text);
    }
    const free = { most: 0, expected: 0 };
    const { result } = await executeOnce(
      { ...execution, routes },
      free,
      async (provider, model, call) => ({
        tokens: await provider.countTokens!({ ...request, model }, call),
        usage: NOTHING,
      }),
    );
    return result.tokens;
  }

  function checkContext({ model }: Execution, request: GenerateRequest): void {
    const { contextTokens, name } = model.settings;
    if (contextTokens === undefined) return;
    const { expected, images } = promptTokens(request);
    // A provider may scale an image down.
    const asked = expected - images + (request.maxTokens ?? 1);
    // The estimate may be half wrong; a provider that counts exactly refuses the rest.
    if (asked <= 1.5 * contextTokens) return;
    throw new SkeinError(
      'CONTEXT_TOO_LONG',
      `The request takes some ${asked} tokens, and the context of ${name} holds ${contextTokens}.`,
    );
  }

  async function generate(request: GenerateRequest, caller: Caller): Promise<Generation> {
    const mayUse = (provider: string): boolean =>
      allowed.get(caller.tenant)?.includes(provider) ?? true;
    const assignment = assign(request.model, caller, mayUse);
    const assigned = { ...executionOf(request.model, caller), assignment };
    checkRequest(request);
    const execution = request.continuation === undefined ? assigned : continuing(assigned, request);
    if (ledger.counts(payerOf(caller))) checkBoundedRequest(request);
    checkContext(execution, request);
    const mayRepeat = execution.model.settings.cache && isDeterministic(request);
    if (mayRepeat) return generationOf(request.model, caller, await shared(execution, request));
    const answer = await executed(execution, request);
    const events = answer.events();
    return generationOf(request.model, caller, { answer, cache: 'miss', events, pays: () => true });
  }

  async function reported<Result>(
    model: string,
    caller: Caller,
    work: Promise<Result>,
  ): Promise<Result> {
    try {
      return await work;
    } catch (error) {
      report(model, caller, undefined, error);
      throw error;
    }
  }

  function standing(): ModelView[] {
    const now = clock.now();
    return [...models.values()].map((model) => modelView(model, now));
  }

  const gateway: Gateway = {
    generate: (request, caller) => reported(request.model, caller, generate(request, caller)),
    embed: (request, caller) =>
      reported(
        request.model,
        caller,
        (async () => {
          assertOpen();
          const isDeclared =
            models.get(request.model)?.settings.tenants?.includes(caller.tenant) ??
            models.has(request.model);
          const deployed = isDeclared
            ? undefined
            : await embedDeployed({ embed: options.embed, ledger, clock }, request, caller);
          if (deployed !== undefined) {
            report(request.model, caller, deployed.receipt, undefined);
            return deployed;
          }
          const execution = executionOf(request.model, caller);
          if (ledger.counts(payerOf(caller))) checkBoundedEmbed(request.extra);
          const { result, route, attempts, spent } = await executeOnce(
            execution,
            inputTokens(request),
            async (provider, model, call) => {
              if (provider.embed !== undefined) return provider.embed({ ...request, model }, call);
              const text = `Provider ${provider.name} has no embeddings.`;
              throw new FieldError('model', text, 'GENERATION_UNSUPPORTED');
            },
          );
          const receipt: Receipt = {
            provider: route.settings.provider,
            model: request.model,
            usage: result.usage,
            costUsd: spent.nanoDollars / NANO_DOLLARS,
            answerUsd: spent.answerNanoDollars / NANO_DOLLARS,
            cache: 'miss',
            attempts,
            ttftMs: clock.now() - caller.arrivedAt,
          };
          report(request.model, caller, receipt, undefined);
          return { ...result, receipt };
        })(),
      ),
    countTokens,
    requireModel: (name, tenant) => void routesOf(name, tenant),
    async check(name) {
      assertOpen();
      const model = models.get(name);
      if (model === undefined) throw unknownModel(name);
      return checkRoutes(model.routes);
    },
    models(tenant) {
      const names = allowed.get(tenant);
      return [...models.values()]
        .filter(({ settings: each }) => each.tenants?.includes(tenant) ?? true)
        .map(({ settings: each, routes }) => ({
          name: each.name,
          providers: routes
            .map(({ settings: { provider } }) => provider)
            .filter((name) => names?.includes(name) ?? true),
          kinds: routes.some(({ provider }) => provider.embed !== undefined)
            ? (['generate', 'embed'] as const)
            : (['generate'] as const),
          contextTokens: each.contextTokens,
          createdAt,
        }))
        .filter(({ providers: names }) => names.length > 0);
    },
    standing,
    view: async () => ({ models: standing(), budgets: await ledger.standings() }),
    async close() {
      isClosed = true;
      await copier.close();
      await ledger.close();
      await closeProviders();
    },
  };
  return checkedGateway(gateway);
}

const unknownModel = (name: string): SkeinError =>
  new SkeinError('MODEL_UNKNOWN', `There is no model "${name.slice(0, 128)}".`);
