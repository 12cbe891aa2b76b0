/** Language models: their routes against the objectives, what they cost, budgets; and a playground. */
import type { LanguageView } from '@skein/api';
import {
  Chip,
  Empty,
  Heading,
  milliseconds,
  perSecond,
  Table,
  took,
  useFresh,
  type Of,
} from '@skein/ui';
import { Refusal } from '../key-dialog.tsx';
import { node } from '../node.ts';
import { Chat } from './chat.tsx';
import { Redactions } from './redactions.tsx';
import { RouteRollouts } from './rollouts.tsx';
import './language.css';
import type { ViewProps } from '../view.ts';

export function Language({ focus }: ViewProps) {
  const { value, error } = useFresh({ everyMs: 2000 }, (signal) =>
    node().getLanguageModels({}, { signal }),
  );
  return (
    <>
      <section>
        <Heading focus={focus}>Language models</Heading>
        <Refusal error={error} />
        {value === undefined ? null : <Models of={value} />}
      </section>
      {value === undefined || value.settings.models.length === 0 ? null : (
        <Chat models={value.settings.models.map(({ name }) => name)} />
      )}
    </>
  );
}

function Models({ of }: { readonly of: LanguageView }) {
  const { settings, budgets, problem, rollouts } = of;
  if (settings.models.length === 0) {
    return (
      <Empty command="skein provider put google --kind gemini --key-env GEMINI_API_KEY && skein model put assistant --route google=gemini-2.5-flash">
        No language model is declared yet.
      </Empty>
    );
  }
  return (
    <>
      {problem === undefined ? null : <p class="trouble">{problem}</p>}
      <Table
        titles={[
          'Model',
          'Route',
          'State',
          'First token, p99',
          'Tokens/s',
          'Requests',
          'Cached',
          'Cost',
        ]}
      >
        <tbody>
          {settings.models.flatMap((model) => [
            ...model.routes.map((route) => <RouteRow of={of} model={model} route={route} />),
            <UnansweredRow of={of} model={model.name} />,
          ])}
        </tbody>
      </Table>
      <RouteRollouts of={rollouts} />
      <Redactions of={of} />
      {budgets.length === 0 ? null : (
        <Table titles={['Budget of', 'Period', 'Taken', 'Limit']}>
          <tbody>
            {budgets.map(({ subject, period, taken, limit, unit }) => (
              <tr>
                <td>
                  <strong>{subject}</strong>
                </td>
                <td>{period}</td>
                <td>{amount(taken, unit)}</td>
                <td>{amount(limit, unit)}</td>
              </tr>
            ))}
          </tbody>
        </Table>
      )}
    </>
  );
}

type DeclaredModel = LanguageView['settings']['models'][number];

function RouteRow({
  of: { models, use },
  model: { name, ttftMs, routes },
  route: { provider, model },
}: {
  readonly of: LanguageView;
  readonly model: DeclaredModel;
  readonly route: DeclaredModel['routes'][number];
}) {
  const standing = models
    .find((each) => each.name === name)
    ?.routes.find((each) => each.provider === provider && each.model === model);
  const cells = (
    <>
      <td>
        <strong>{name}</strong>
      </td>
      <td>{`${provider}: ${model}`}</td>
      <td>
        <State of={standing} />
      </td>
    </>
  );
  const first = routes.find((each) => each.provider === provider);
  if (first !== undefined && first.model !== model) {
    // Use is counted by provider: shown again it would count twice.
    return (
      <tr>
        {cells}
        <td colSpan={5}>{`counted with ${first.model}`}</td>
      </tr>
    );
  }
  const used = use.find((each) => each.model === name && each.provider === provider);
  const p99 = used?.ttftMs?.p99;
  const requests = `${used?.requests ?? 0}${used?.failed ? `, ${used.failed} failed` : ''}`;
  return (
    <tr>
      {cells}
      <td class={p99 !== undefined && p99 > ttftMs ? 'late' : undefined}>
        {p99 === undefined ? '–' : `≤ ${milliseconds(p99)}`}{' '}
        <small>{`of ${milliseconds(ttftMs)}`}</small>
      </td>
      <td>
        {used === undefined || used.tokensPerSecond === 0 ? '–' : perSecond(used.tokensPerSecond)}
      </td>
      <td>{requests}</td>
      <td>{cacheHitsOf(use, name, provider)}</td>
      <td>{`$${(used?.costUsd ?? 0).toFixed(4)}`}</td>
    </tr>
  );
}

/** Requests that no route has answered, where there are some. */
function UnansweredRow({ of: { use }, model }: Of<LanguageView> & { readonly model: string }) {
  const used = use.find((each) => each.model === model && each.provider === '');
  const failed = used?.failed ?? 0;
  if (failed === 0) return null;
  return (
    <tr>
      <td>
        <strong>{model}</strong>
      </td>
      <td>no route has answered</td>
      <td />
      <td />
      <td />
      <td class="late">{`${failed} failed`}</td>
      <td />
      <td />
    </tr>
  );
}

/** Answers from the cache have no provider: they are shown with the one that gave the first answer. */
function cacheHitsOf(use: LanguageView['use'], model: string, provider: string): number {
  return use
    .filter((each) => each.model === model && [provider, ''].includes(each.provider))
    .reduce((sum, { cacheHits }) => sum + cacheHits, 0);
}

type Standing = LanguageView['models'][number]['routes'][number];

/** The state of its circuit breaker. */
function State({ of }: { readonly of: Standing | undefined }) {
  if (of === undefined) return <Chip tone="plain">unknown</Chip>;
  const [quota] = Object.entries(of.quotas);
  if (quota !== undefined) {
    return <Chip tone="bad">{`quota ${quota[0]} spent, reset in ${took(quota[1])}`}</Chip>;
  }
  if (of.closedBy !== undefined) {
    const { scope, tenants } = of.closedBy;
    const what = scope === 'provider' ? 'the provider is away' : 'away';
    const whom =
      tenants === undefined ? '' : ` for ${tenants} ${tenants === 1 ? 'tenant' : 'tenants'}`;
    return (
      <Chip tone="bad">{`${what} for ${took(of.closedInMs)}${whom}: ${of.closedBy.code}`}</Chip>
    );
  }
  return <Chip tone="good">{of.running === 0 ? 'open' : `${of.running} running`}</Chip>;
}

const amount = (value: number, unit: 'usd' | 'tokens'): string =>
  unit === 'usd' ? `$${value.toFixed(4)}` : `${value} tokens`;
