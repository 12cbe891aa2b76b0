/** The decisions of the node and the changes by people, newest first, each with its reason. */
import { clock, useStore, words } from '@skein/ui';
import { decisions } from '../node.ts';

const SHOWN = 60;

const TONES: Readonly<Record<string, string>> = {
  'rolled-back': 'bad',
  'replica-lost': 'bad',
  unloaded: 'warn',
  undeployed: 'warn',
  scaled: 'plain',
  deployed: 'good',
  'rollout-finished': 'good',
};

export function Decisions() {
  const entries = useStore(decisions).slice(0, SHOWN);
  return (
    <section aria-labelledby="decisions-title">
      <h2 id="decisions-title">Decisions</h2>
      <div class="panel">
        <ol class="decisions" id="decisions" tabIndex={0} aria-labelledby="decisions-title">
          {entries.map(({ id, at, deployment, kind, reason, actor }) => (
            <li key={id}>
              <time dateTime={at} class="muted">
                {clock(at)}
              </time>
              <span class="where">{deployment}</span>
              <span class="kind" data-tone={TONES[kind] ?? 'accent'}>
                {words(kind)}
              </span>
              <span class="why">{reason}</span>
              {actor === 'skein' ? null : <span class="muted who">{`by ${actor}`}</span>}
            </li>
          ))}
        </ol>
        {entries.length === 0 ? (
          <p class="muted empty" id="no-decisions">
            None yet.
          </p>
        ) : null}
      </div>
    </section>
  );
}

/** The last few of one deployment. */
export function RecentDecisions({
  deployment,
  count,
}: {
  readonly deployment: string;
  readonly count: number;
}) {
  const entries = useStore(decisions)
    .filter((entry) => entry.deployment === deployment)
    .slice(0, count);
  return (
    <ol class="recent">
      {entries.length === 0 ? <li class="muted">No decisions yet.</li> : null}
      {entries.map(({ id, at, kind, reason }) => (
        <li key={id}>
          <small>{`${clock(at)} ${words(kind)}`}</small>
          <span>{reason}</span>
        </li>
      ))}
    </ol>
  );
}
