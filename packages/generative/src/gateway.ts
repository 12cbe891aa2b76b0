/**
 * The gateway: what the faces call. It knows the models, decides who may use which, answers from
 * the cache, and gives every request to `execute`, which follows it to its end.
 */

import { SkeinError } from '@skein/api/errors';
import { createAnswers } from './cache/answers.ts';
import { isDeterministic, requestKey } from './cache/request-key.ts';
import { createTape, type Tape } from './cache/tape.ts';
import { checkRequest } from './check-request.ts';
import type {
  Caller,
  Gateway,
  GenerateEvent,
  GenerateRequest,
  Generation,
  Provider,
  Receipt,
} from './contract.ts';
import { execute, executeOnce, type Answer, type Execution, type Model } from './execute.ts';
import type { GatewayOptions } from './gateway-options.ts';
import { openLedger } from './money/ledger.ts';
import { memoryBudgets } from './money/memory-budgets.ts';
import { NANO_DOLLARS, promptTokens } from './money/price.ts';
import { openProvider, PROVIDERS } from './providers/providers.ts';
import { createHedgeBudget } from './routing/hedge-budget.ts';
import { createPlaces, type Places } from './routing/places.ts';
import { createRoute, type Route } from './routing/route.ts';
import { viewOf } from './gateway-view.ts';

/** Places of a provider that is open already, which bounds itself. */
const OWN_PLACES = 1024;

/** @throws SkeinError PROVIDER_INVALID. */
export async function openGateway(options: GatewayOptions): Promise<Gateway> {
  const {
    settings,
    state,
    weightOf = () => 1,
    clock = performance,
    random = Math.random,
  } = options;
  const { observe = () => {} } = options;
  const providers = new Map<string, { readonly provider: Provider; readonly places: Places }>();
  const opened: Provider[] = [];
  const models = await openModels().catch(async (error: unknown) => {
    await closeProviders();
    throw error;
  });
  const ledger = openLedger(settings.budgets, state?.budgets ?? memoryBudgets());
  const allowed = new Map(settings.allow.map(({ tenant, providers: names }) => [tenant, names]));
  const answers = createAnswers();
  /** Deterministic requests whose answer has not begun. */
  const beginning = new Map<string, Promise<Shared>>();
  const createdAt = new Date().toISOString();

  interface Shared {
    readonly answer: Answer;
    readonly tape: Tape;
    /** A reader has come, or gone: the last one ends the call. */
    readonly join: () => () => void;
  }

  async function openModels(): Promise<ReadonlyMap<string, Model>> {
    const add = (provider: Provider, count: number): void => {
      const places = createPlaces(count, weightOf, clock);
      providers.set(provider.name, { provider, places });
    };
    for (const provider of options.providers ?? []) add(provider, OWN_PLACES);
    const factories = { ...PROVIDERS, ...options.factories };
    for (const each of settings.providers) {
      const provider = await openProvider(each, factories);
      opened.push(provider);
      add(provider, each.maxConcurrent);
    }
    return new Map(settings.models.map((each) => [each.name, modelOf(each)]));
  }

  async function closeProviders(): Promise<void> {
    await Promise.allSettled(opened.map((provider) => provider.close()));
  }

  function modelOf(each: (typeof settings.models)[number]): Model {
    const routes = each.routes.map((route, index): Route => {
      const found = providers.get(route.provider);
      if (found !== undefined) return createRoute(index, route, found.provider, found.places);
      const text = `The model ${each.name} names the provider ${route.provider}, which is not declared.`;
      throw new SkeinError('PROVIDER_INVALID', text);
    });
    return { settings: each, routes, hedges: createHedgeBudget() };
  }

  /** @throws SkeinError MODEL_UNKNOWN, PROVIDER_FORBIDDEN. */
  function executionOf(name: string, caller: Caller): Execution {
    const model = models.get(name);
    if (model === undefined || model.settings.tenants?.includes(caller.tenant) === false) {
      throw new SkeinError('MODEL_UNKNOWN', `There is no model "${name.slice(0, 128)}".`);
    }
    const names = allowed.get(caller.tenant);
    const routes =
      names === undefined
        ? model.routes
        : model.routes.filter(({ settings: { provider } }) => names.includes(provider));
    if (routes.length === 0) {
      const text = `No provider of ${name} is allowed to the tenant ${caller.tenant}.`;
      throw new SkeinError('PROVIDER_FORBIDDEN', text);
    }
    return { model, routes, caller, ledger, clock, random };
  }

  function checkContext({ model }: Execution, request: GenerateRequest): void {
    const { contextTokens, name } = model.settings;
    if (contextTokens === undefined) return;
    const asked = promptTokens(request).expected + (request.maxTokens ?? 1);
    // The estimate may be half wrong; a provider that counts exactly refuses the rest.
    if (asked <= 1.5 * contextTokens) return;
    throw new SkeinError(
      'CONTEXT_TOO_LONG',
      `The request takes some ${asked} tokens, and the context of ${name} holds ${contextTokens}.`,
    );
  }

  async function generate(request: GenerateRequest, caller: Caller): Promise<Generation> {
    const execution = executionOf(request.model, caller);
    checkRequest(request);
    checkContext(execution, request);
    const mayRepeat = execution.model.settings.cache && isDeterministic(request);
    if (mayRepeat) return repeated(execution, request);
    const answer = await execute(execution, request);
    return generationOf(execution, answer, 'miss', answer.events());
  }

  /** Answers from the cache, joins the same request in flight, or begins one that others may join. */
  async function repeated(execution: Execution, request: GenerateRequest): Promise<Generation> {
    const { caller } = execution;
    const key = requestKey(request, caller.tenant);
    const found = answers.find(key, clock.now());
    if (found?.isWhole === true) {
      return generationOf(execution, undefined, 'hit', found.tape.read());
    }
    const joined = beginning.get(key);
    const shared = joined ?? begin(key, execution, request);
    const { answer, tape, join } = await shared;
    const leave = join();
    const events = tape.read(leave);
    return generationOf(execution, answer, joined === undefined ? 'miss' : 'joined', events);
  }

  function begin(key: string, execution: Execution, request: GenerateRequest): Promise<Shared> {
    // The call outlives the caller that began it while another reads.
    const ended = new AbortController();
    const { caller } = execution;
    let readers = 0;
    const isAlone = (): void => {
      if (readers === 0) ended.abort(caller.signal.reason);
    };
    caller.signal.addEventListener('abort', isAlone, { once: true });
    const own = { ...execution, caller: { ...caller, signal: ended.signal } };
    const shared = execute(own, request).then((answer): Shared => {
      const tape = createTape();
      answers.begin(key, tape, clock.now());
      void pump(answer, tape).finally(() => {
        answers.end(key, tape);
        beginning.delete(key);
        caller.signal.removeEventListener('abort', isAlone);
      });
      const join = (): (() => void) => {
        readers += 1;
        return () => {
          readers -= 1;
          if (readers === 0) ended.abort(new SkeinError('CANCELLED', 'Every reader has gone.'));
        };
      };
      return { answer, tape, join };
    });
    beginning.set(key, shared);
    shared.catch(() => beginning.delete(key));
    return shared;
  }

  async function pump(answer: Answer, tape: Tape): Promise<void> {
    try {
      for await (const event of answer.events()) tape.push(event);
      tape.end();
    } catch (error) {
      tape.end(error as Error);
    }
  }

  function generationOf(
    { model, caller }: Execution,
    answer: Answer | undefined,
    cache: Receipt['cache'],
    source: AsyncGenerator<GenerateEvent>,
  ): Generation {
    const provider = answer?.route.settings.provider;
    const ttftMs = answer?.ttftMs ?? clock.now() - caller.arrivedAt;
    let receipt: Receipt | undefined;

    async function* events(): AsyncGenerator<GenerateEvent> {
      let error: unknown = new SkeinError('CANCELLED', 'The answer was not read to its end.');
      try {
        yield* source;
        error = undefined;
      } catch (thrown) {
        error = thrown;
        throw thrown;
      } finally {
        // A joined answer is paid by the request that began it.
        const { nanoDollars, usage } = answer?.spent() ?? {
          nanoDollars: 0,
          usage: { inputTokens: 0, outputTokens: 0 },
        };
        receipt = {
          provider,
          model: model.settings.name,
          usage,
          costUsd: cache === 'miss' ? nanoDollars / NANO_DOLLARS : 0,
          cache,
          attempts: cache === 'miss' ? (answer?.attempts ?? 0) : 0,
          ttftMs,
        };
        tell(model.settings.name, caller, receipt, error);
      }
    }
    return {
      provider,
      events: events(),
      headers() {
        return {
          ...(provider === undefined ? {} : { 'skein-provider': provider }),
          'skein-cache': cache,
          'skein-attempts': String(cache === 'miss' ? (answer?.attempts ?? 0) : 0),
          ...(receipt === undefined && cache === 'miss'
            ? { 'skein-cost-limit-usd': usd(answer?.worst ?? 0) }
            : { 'skein-cost-usd': usd((receipt?.costUsd ?? 0) * NANO_DOLLARS) }),
        };
      },
      receipt: () => receipt,
    };
  }

  function tell(model: string, caller: Caller, receipt: Receipt | undefined, error: unknown): void {
    const { requestId, tenant, key, arrivedAt } = caller;
    observe({
      caller: { requestId, tenant, key },
      model,
      receipt,
      ...(error === undefined
        ? {}
        : { error: error instanceof SkeinError ? error.code : 'INTERNAL' }),
      durationMs: clock.now() - arrivedAt,
    });
  }

  async function told<Result>(
    model: string,
    caller: Caller,
    work: Promise<Result>,
  ): Promise<Result> {
    try {
      return await work;
    } catch (error) {
      tell(model, caller, undefined, error);
      throw error;
    }
  }

  return {
    generate: (request, caller) => told(request.model, caller, generate(request, caller)),
    embed: (request, caller) =>
      told(
        request.model,
        caller,
        (async () => {
          const execution = executionOf(request.model, caller);
          const bytes = request.inputs.reduce((sum, each) => sum + Buffer.byteLength(each), 0);
          const tokens = { most: bytes + request.inputs.length, expected: Math.ceil(bytes / 3.6) };
          const { result, route, attempts, nanoDollars } = await executeOnce(
            execution,
            tokens,
            async (provider, model, call) => {
              if (provider.embed !== undefined) return provider.embed({ ...request, model }, call);
              const text = `Provider ${provider.name} has no embeddings.`;
              throw new SkeinError('GENERATION_UNSUPPORTED', text);
            },
          );
          const receipt: Receipt = {
            provider: route.settings.provider,
            model: request.model,
            usage: result.usage,
            costUsd: nanoDollars / NANO_DOLLARS,
            cache: 'miss',
            attempts,
            ttftMs: clock.now() - caller.arrivedAt,
          };
          tell(request.model, caller, receipt, undefined);
          return { ...result, receipt };
        })(),
      ),
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
    view: async () => viewOf([...models.values()], await ledger.standings(), clock.now()),
    async close() {
      await ledger.close();
      await closeProviders();
    },
  };
}

const usd = (nanoDollars: number): string => (nanoDollars / NANO_DOLLARS).toFixed(9);
