/** What the node decided and what people did, newest first, each with its reason. */
import { byId, h } from './dom.js';
import { clock } from './format.js';

const SHOWN = 60;

const TONES = {
  'rolled-back': 'bad',
  'replica-lost': 'bad',
  undeployed: 'warn',
  scaled: 'plain',
  deployed: 'good',
  'rollout-finished': 'good',
};

const seen = new Set();
const kept = [];

export function addDecision(entry) {
  if (seen.has(entry.id)) return;
  seen.add(entry.id);
  kept.unshift(entry);
  kept.sort((a, b) => b.id - a.id);
  for (const old of kept.splice(500)) seen.delete(old.id);
  const list = byId('decisions');
  const after = [...list.children].find((item) => Number(item.dataset.id) < entry.id) ?? null;
  list.insertBefore(row(entry), after);
  while (list.children.length > SHOWN) list.lastElementChild.remove();
  byId('no-decisions').hidden = true;
}

/** The last few of one deployment. */
export function decisionsOf(deployment, count) {
  return kept.filter((entry) => entry.deployment === deployment).slice(0, count);
}

function row(entry) {
  return h(
    'li',
    { 'data-id': entry.id },
    h('time', { datetime: entry.at, class: 'muted' }, clock(entry.at)),
    h('span', { class: 'where' }, entry.deployment),
    h('span', { class: 'kind', 'data-tone': TONES[entry.kind] ?? 'accent' }, words(entry.kind)),
    h('span', { class: 'why' }, entry.reason),
    entry.actor === 'skein' ? null : h('span', { class: 'muted who' }, `by ${entry.actor}`),
  );
}

export function words(kind) {
  return kind.replaceAll('-', ' ');
}
