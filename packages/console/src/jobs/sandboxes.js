/** What each sandbox of this node really holds, and how to get what it lacks. */
import { h } from '../dom.js';
import { chip } from '../parts.js';

const LIMITS = {
  cpuMs: 'CPU time',
  wallMs: 'time on the clock',
  memoryBytes: 'memory',
  pids: 'processes',
  outputBytes: 'output',
  fileBytes: 'file size',
  diskBytes: 'disk',
  cores: 'cores',
};

export function sandboxCards(sandboxes) {
  return sandboxes.map((sandbox) => {
    const { name, available, version, untrusted, accounting, limits, network } = sandbox;
    const purpose = untrusted ? 'for work that nobody trusts' : 'for trusted work only';
    return h(
      'article',
      { class: 'panel card' },
      h(
        'h3',
        null,
        name,
        ' ',
        chip(available ? 'works here' : 'missing', available ? 'good' : 'warn'),
      ),
      h('small', null, available ? `${version ?? ''}, ${purpose}` : (sandbox.reason ?? '')),
      available ? '' : fix(sandbox.fix),
      h(
        'ul',
        { class: 'holds' },
        Object.entries(limits).map(([limit, { enforced, by, fix: how }]) =>
          h(
            'li',
            { 'data-held': enforced },
            h('span', null, LIMITS[limit] ?? limit),
            h('small', null, enforced ? by : `not held: ${by}`),
            enforced ? '' : fix(how),
          ),
        ),
        network === undefined
          ? ''
          : h(
              'li',
              { 'data-held': network.none },
              h('span', null, 'no network'),
              h('small', null, network.by),
            ),
      ),
      accounting === undefined ? '' : h('small', null, `Usage is counted by ${accounting}.`),
    );
  });
}

function fix(text) {
  return text === undefined ? '' : h('p', { class: 'fix' }, text);
}
