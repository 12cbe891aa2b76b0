/** One federation: its rounds, its sites, and the privacy that it has spent. */
import type { FederationView } from '@skein/api';
import { isOver } from '@skein/api/federations';
import {
  ActionButton,
  Chart,
  ChartNumbers,
  Chip,
  confirmed,
  Facts,
  Heading,
  linkTo,
  metric,
  Table,
  took,
  type Of,
} from '@skein/ui';
import { useState } from 'preact/hooks';
import { Refusal } from '../key-dialog.tsx';
import { node } from '../node.ts';
import { budgetOf, StatusChip } from './federations.tsx';
import { type AllMembers, Members, type Steering } from './members.tsx';
import { accusedIn, connectedOf, type Round, roundsOf, spentLines, waitingFor } from './rounds.ts';
import { Statistics } from './statistics.tsx';
import { useFederation } from './use-federation.ts';
import '../runs/runs.css';
import type { ViewProps } from '../view.ts';

/** Newest rounds that are shown; the ledger has all of them. */
const ROUNDS = 100;

const CHANGES = {
  pause: 'No site is asked for anything until the federation is resumed.',
  resume: 'The current round continues where it stopped.',
  stop: 'The model of the last round is kept. A federation that was stopped cannot be resumed.',
} as const;

export function Federation({ route: { parts }, focus }: ViewProps) {
  const id = parts[0] ?? '';
  const { value, error, poke } = useFederation(id);
  const [failure, setFailure] = useState<unknown>(undefined);
  const changed = (): void => {
    setFailure(undefined);
    poke(true);
  };
  const changing = { changed, failed: setFailure };
  return (
    <section>
      <p class="back">
        <a href={linkTo('federations')}>All federations</a>
      </p>
      <div class="head">
        <Heading focus={focus}>{value?.view.name ?? ''}</Heading>
        <span role="status">{value === undefined ? null : <StatusChip {...value.view} />}</span>
        {value === undefined ? null : <Actions of={value.view} {...changing} />}
      </div>
      <Refusal error={failure ?? error} />
      {value === undefined ? null : (
        <About
          of={value.view}
          rounds={roundsOf(value.ledger.entries)}
          accused={accusedIn(value.ledger.entries)}
          {...changing}
        />
      )}
    </section>
  );
}

function Actions({ of, changed, failed }: Steering) {
  const { id, name, status } = of;
  if (isOver(of)) return null;
  const change = (to: keyof typeof CHANGES, title: string) => async (): Promise<void> => {
    const reason = await confirmed({
      title: `${title} ${name}?`,
      text: CHANGES[to],
      action: title,
      reason: 'Reason, for the ledger',
    });
    if (reason === undefined) return;
    await node()[`${to}Federation`]({ id, reason });
    changed();
  };
  return (
    <span class="actions">
      {status === 'running' ? (
        <ActionButton action={change('pause', 'Pause')} failed={failed}>
          Pause
        </ActionButton>
      ) : (
        <ActionButton action={change('resume', 'Resume')} failed={failed}>
          Resume
        </ActionButton>
      )}{' '}
      <ActionButton action={change('stop', 'Stop')} failed={failed} tone="danger">
        Stop
      </ActionButton>
    </span>
  );
}

/** With the updates that end a round, where not all sites are waited for. */
const strategyOf = ({ strategy: { name, buffer } }: FederationView['plan']): string =>
  typeof buffer === 'number' ? `${name}, ${buffer} updates a round` : name;

function About({
  of,
  rounds,
  accused,
  ...changing
}: AllMembers & { readonly rounds: readonly Round[] }) {
  const { id, name, plan, phase, status, round, reason, version } = of;
  const { privacy, aggregation } = plan;
  return (
    <div>
      {reason === undefined || reason === '' ? null : <p class="why">{reason}</p>}
      <div class="curves">
        {privacy.epsilon === undefined ? null : <Budget of={of} rounds={rounds} />}
        <article class="panel card">
          <Facts
            of={[
              ['Rounds', `${round} of ${plan.rounds}`],
              ['Phase', status === 'running' ? phase : undefined],
              ['Sites', connectedOf(of)],
              ['Privacy', budgetOf(of)],
              ['Protects', privacy.mode === 'none' ? undefined : `each ${privacy.mode}`],
              ['Noise', privacy.noise === undefined ? undefined : metric(privacy.noise)],
              ['Sum', SUMS[aggregation.kind]],
              ['Strategy', strategyOf(plan)],
              ['Threshold', `${plan.sites.threshold} of ${plan.sites.minimum} sites`],
              ['Helpers', aggregation.helpers?.map((helper) => helper.name).join(', ')],
              ['Result', version === undefined ? undefined : `${name} v${version}`],
              ['Plan', <code title={of.planDigest}>{`${of.planDigest.slice(0, 12)}…`}</code>],
              ['Ledger', <a href={linkTo('federations', [id, 'ledger'])}>Every entry</a>],
            ]}
          />
        </article>
      </div>
      {plan.strategy.name === 'statistics' && round > 0 ? <Statistics of={of} /> : null}
      <Members of={of} role="site" accused={accused} {...changing} />
      {plan.aggregation.helpers === undefined ? null : (
        <Members of={of} role="helper" accused={accused} {...changing} />
      )}
      <section>
        <h3>Rounds</h3>
        <Rounds of={rounds} waiting={waitingFor(of)} />
      </section>
    </div>
  );
}

const SUMS = {
  pairwise: 'of masked updates',
  committee: 'of masked updates, by helpers',
  none: 'the coordinator sees each update',
} as const;

function Budget({ of, rounds }: Of<FederationView> & { readonly rounds: readonly Round[] }) {
  const { privacy, aggregation } = of.plan;
  const lines = spentLines(rounds, aggregation.helpers === undefined ? 'sites' : 'helpers');
  const { epsilon, delta } = privacy;
  return (
    <figure class="panel curve" id="budget">
      <figcaption>
        <strong>{`Privacy spent, of ε = ${epsilon} at δ = ${delta}`}</strong>
        <span class="legend">
          {lines.map(({ label, points }, index) => (
            <span data-run={index}>
              <i aria-hidden="true" />
              {`${label} ${metric(points.at(-1)?.[1])}`}
            </span>
          ))}
        </span>
      </figcaption>
      <Chart
        lines={lines}
        label={`${budgetOf(of)} after ${rounds.length} rounds`}
        bound={epsilon}
        xRange={[0, of.plan.rounds]}
        height={190}
        size="large"
      />
      <ChartNumbers lines={lines} xTitle="round" />
    </figure>
  );
}

function Rounds({ of: rounds, waiting }: Of<readonly Round[]> & { readonly waiting: string }) {
  if (rounds.length === 0) return <p class="muted">{waiting}</p>;
  return (
    <>
      <Table titles={['Round', 'State', 'Sites in the sum', 'Took', 'ε after it', 'Aborted']}>
        <tbody>
          {rounds
            .slice(-ROUNDS)
            .toReversed()
            .map(({ number, state, asked, summed, tookMs, spent, aborts }) => (
              <tr key={number}>
                <th scope="row">{number}</th>
                <td>
                  <Chip tone={state === 'done' ? 'good' : 'accent'}>{state}</Chip>
                </td>
                <td>{summed === undefined ? `${asked} asked` : `${summed} of ${asked}`}</td>
                <td>{tookMs === undefined ? '–' : took(tookMs)}</td>
                <td>{spent.map(({ epsilon }) => metric(epsilon)).join(', ') || '–'}</td>
                <td title={aborts.join('\n')}>
                  {aborts.length === 0
                    ? '–'
                    : `${aborts.length === 1 ? 'once' : `${aborts.length} times`}: ${aborts.at(-1)}`}
                </td>
              </tr>
            ))}
        </tbody>
      </Table>
      {rounds.length > ROUNDS ? (
        <p class="muted">{`The newest ${ROUNDS} of ${rounds.length}.`}</p>
      ) : null}
    </>
  );
}
