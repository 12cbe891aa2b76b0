/** The frame of every view: the header with the state of the node, and the open view. */
import { safeLine } from '@skein/api/safe-text';
import {
  Confirmation,
  cores as coresOf,
  currentRoute,
  duration,
  Heading,
  linkTo,
  useFresh,
  useStore,
  type Route,
} from '@skein/ui';
import { useEffect, useRef } from 'preact/hooks';
import { DataSets } from './data/data.tsx';
import { DataVersionPage } from './data/version.tsx';
import { Device } from './devices/device.tsx';
import { Devices } from './devices/devices.tsx';
import { Federation } from './federations/federation.tsx';
import { Federations } from './federations/federations.tsx';
import { Ledger } from './federations/ledger.tsx';
import { Fleet } from './fleet/fleet.tsx';
import { Job } from './jobs/job.tsx';
import { Jobs } from './jobs/jobs.tsx';
import { Queues } from './jobs/queues.tsx';
import { KeyDialog, Refusal } from './key-dialog.tsx';
import { Language } from './language/language.tsx';
import { connection, deployments, node, refusal, session } from './node.ts';
import { Comparison } from './runs/compare.tsx';
import { Run } from './runs/run.tsx';
import { Runs } from './runs/runs.tsx';
import { Playground } from './serving/playground.tsx';
import { Serving } from './serving/serving.tsx';
import { type ViewProps, type View, pages } from './view.ts';

const VIEWS: Readonly<Record<string, View>> = {
  '': { title: 'Serving', of: pages(Serving) },
  try: { title: 'Playground', of: pages(Playground, Playground) },
  language: { title: 'Language models', of: pages(Language) },
  jobs: { title: 'Jobs', of: pages(Jobs, Job) },
  queues: { title: 'Queues', of: pages(Queues) },
  data: { title: 'Data', of: pages(DataSets, DataSets, DataVersionPage) },
  fleet: { title: 'Fleet', of: pages(Fleet) },
  devices: { title: 'Devices', of: pages(Devices, Device) },
  federations: {
    title: 'Federations',
    of: (parts) =>
      parts[1] === 'ledger' || parts.length < 2
        ? pages(Federations, Federation, Ledger)(parts)
        : undefined,
  },
  runs: { title: 'Runs', of: pages(Runs, Run, Comparison) },
};

function viewOf(name: string): View | undefined {
  return Object.hasOwn(VIEWS, name) ? VIEWS[name] : undefined;
}

/** Whether the view shows the state from the stream of events, and loads nothing itself. */
export function isFromEvents({ name }: Route): boolean {
  return name === 'try' || name === '';
}

/** For an address that an older page, or a person, has made up. */
function NoPage({ focus }: ViewProps) {
  return (
    <section>
      <div class="head">
        <Heading focus={focus}>No such page</Heading>
      </div>
      <div class="panel empty">
        <p>
          {'The console has no page at '}
          <code>{safeLine(location.hash)}</code>
          {'. The views are in the header; '}
          <a href={linkTo('')}>Serving</a>
          {' is the first.'}
        </p>
      </div>
    </section>
  );
}

const STATES = {
  live: 'Live',
  lost: 'Reconnecting',
  connecting: 'Connecting',
  limited: 'Jobs only',
  refused: 'Key needed',
} as const;

export function App() {
  const route = useStore(currentRoute());
  const key = useStore(session.key);
  const { name, parts } = route;
  const view = viewOf(name);
  const Shown = view?.of(parts) ?? NoPage;
  const title = Shown === NoPage ? 'No such page' : view?.title;
  const address = JSON.stringify([name, parts]);
  const first = useRef(address);
  const moved = first.current !== address;
  useEffect(() => {
    document.title = Shown === Serving ? 'Skein' : `${title} – Skein`;
    if (moved) scrollTo(0, 0);
    first.current = '';
  }, [address]);
  const refused = useStore(refusal);
  const isRefused = refused !== undefined && isFromEvents(route);
  // Without a key nothing is known: a view would show that nothing is deployed.
  const isUnknown = useStore(deployments).size === 0 && isRefused;
  return (
    <>
      <Header view={Shown === NoPage ? undefined : name} />
      <main>
        <div class="view" id={Shown === Serving ? 'serving' : 'other'}>
          {isRefused ? <Refusal error={refused} /> : null}
          {isUnknown ? null : <Shown key={`${address} ${key ?? ''}`} route={route} focus={moved} />}
        </div>
      </main>
      <Confirmation />
      <KeyDialog />
    </>
  );
}

function Header({ view }: { readonly view: string | undefined }) {
  const state = useStore(connection);
  return (
    <header>
      <h1>
        <a class="brand" href="#/">
          <Logo />
          <span>Skein</span>
        </a>
      </h1>
      <nav class="views" aria-label="Views" id="views">
        {Object.entries(VIEWS).map(([name, { title }]) => (
          <a href={`#/${name}`} aria-current={name === view ? 'page' : undefined}>
            {title}
          </a>
        ))}
      </nav>
      <span class="pill" id="connection" role="status" data-state={state}>
        {STATES[state]}
      </span>
      {state === 'live' ? <NodeFacts /> : null}
      <nav aria-label="Node">
        <a href="/docs">API</a>
        <a href="/metrics">Metrics</a>
      </nav>
    </header>
  );
}

function NodeFacts() {
  const { value } = useFresh({ everyMs: 5000 }, () => node().getNode());
  if (value === undefined) return null;
  const { version, uptimeMs, access, draining, coresInUse, cores } = value;
  const keys = access === 'open' ? 'open on this machine' : 'keys required';
  const threads = `${coresInUse} thread${coresInUse === 1 ? '' : 's'}`;
  return (
    <>
      <span class="muted" id="node">
        {`${version}, up ${duration(uptimeMs)}, ${keys}${draining ? ', draining' : ''}`}
      </span>
      <span class="cores" id="cores">
        <span class="pips" role="img" aria-label={`${threads} of replicas on ${coresOf(cores)}`}>
          {Array.from({ length: Math.min(cores, 32) }, (_, index) => (
            <i data-used={index < coresInUse ? '' : undefined} />
          ))}
        </span>
        <small class="muted">{`${threads}, ${coresOf(cores)}`}</small>
      </span>
    </>
  );
}

function Logo() {
  return (
    <svg class="logo" viewBox="0 0 32 32" width="28" height="28" aria-hidden="true">
      <g
        fill="none"
        stroke="currentColor"
        stroke-width="2.4"
        stroke-linecap="round"
        stroke-linejoin="round"
      >
        <path d="M12 8q3 0 4 3 1-3 4-3" />
        <path d="M4 16q3 0 4 3 1-3 4-3" />
        <path d="M20 16q3 0 4 3 1-3 4-3" />
      </g>
    </svg>
  );
}
