/** The totals of the last minute, the deployments, and the decisions of the node. */
import { Empty, percent, perSecond, useStore } from '@skein/ui';
import { deployments } from '../node.ts';
import { Decisions } from './decisions.tsx';
import { Deployment } from './deployment.tsx';
import { Reader, reads } from './reader.tsx';
import './deployments.css';

const TITLES = [
  'Deployment',
  'Versions',
  'Replicas',
  'Latency against objective',
  'Traffic',
  'In time',
  'Shed',
];

export function Serving() {
  const all = useStore(deployments);
  const reader = [...all.values()].find(({ view }) => reads(view))?.view;
  return (
    <>
      <Totals />
      <section aria-labelledby="deployments-title">
        <h2 id="deployments-title">Deployments</h2>
        {all.size === 0 ? (
          <Empty command="skein deploy model.onnx --name risk --objective 100ms">
            Nothing is deployed yet.
          </Empty>
        ) : (
          <div class="panel scroll">
            <table class="deployments">
              <thead>
                <tr>
                  {TITLES.map((title) => (
                    <th scope="col">{title}</th>
                  ))}
                </tr>
              </thead>
              {[...all].map(([name, deployed]) => (
                <Deployment key={name} {...deployed} />
              ))}
            </table>
          </div>
        )}
      </section>
      {reader === undefined ? null : <Reader view={reader} />}
      <Decisions />
    </>
  );
}

function Totals() {
  const all = [...useStore(deployments).values()].map(({ view }) => view.last);
  const sum = (key: 'requestsPerSecond' | 'goodputPerSecond' | 'shedPerSecond'): number =>
    all.reduce((total, last) => total + last[key], 0);
  const requests = sum('requestsPerSecond');
  const kept = all.reduce(
    (total, last) => total + (last.sloAttainment ?? 0) * last.requestsPerSecond,
    0,
  );
  const figure = (value: string, unit: string, label: string) => (
    <div>
      <strong>
        {value}
        <small>{unit}</small>
      </strong>
      <span>{label}</span>
    </div>
  );
  return (
    <section class="totals" id="totals" aria-label="All deployments, last minute">
      {figure(perSecond(requests), ' /s', 'requests')}
      {figure(perSecond(sum('goodputPerSecond')), ' /s', 'answered in time')}
      {figure(percent(requests === 0 ? null : kept / requests), '', 'of requests in time')}
      {figure(perSecond(sum('shedPerSecond')), ' /s', 'shed')}
    </section>
  );
}
