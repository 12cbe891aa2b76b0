/** What several views are made of. */
import { h } from './dom.js';
import { Refused } from './feed.js';
import { askForKey } from './key.js';

/** The heading of a view, which takes the focus when one comes to it. */
export function heading(...children) {
  return h('h2', { tabindex: '-1' }, ...children);
}

export function chip(text, tone, title) {
  return h('span', { class: 'chip', 'data-tone': tone, title }, text);
}

/** Terms and what they are; those without a value are left out. */
export function facts(pairs) {
  return h(
    'dl',
    { class: 'facts' },
    pairs
      .filter(([, value]) => value !== undefined && value !== '' && value !== null)
      .map(([term, value]) => [h('dt', null, term), h('dd', null, value)]),
  );
}

/** A bar of what is done. */
export function bar(fraction, label) {
  return h(
    'span',
    {
      class: 'progress',
      role: 'progressbar',
      'aria-label': label,
      'aria-valuemin': 0,
      'aria-valuemax': 100,
      'aria-valuenow': Math.round(fraction * 100),
    },
    h('i', { style: { width: `${(fraction * 100).toFixed(1)}%` } }),
  );
}

/** @returns an element, and what writes the last failure into it (null: all is well). */
export function trouble() {
  const box = h('div', { class: 'trouble', role: 'alert', hidden: true });
  return {
    box,
    show: (error) => {
      box.hidden = error === null;
      if (error === null) return;
      const forbidden = error instanceof Refused && [401, 403].includes(error.status);
      const lost = 'The node does not answer; trying again.';
      const message = error instanceof Refused ? `${error.message} ${error.fix}` : lost;
      box.replaceChildren(
        h('p', null, message),
        ...(forbidden
          ? [h('button', { type: 'button', onclick: () => askForKey(error) }, 'Use another key')]
          : []),
      );
    },
  };
}

/** Does what a button is for, and says what went wrong. */
export function button(text, act, { show }, tone) {
  const element = h(
    'button',
    {
      type: 'button',
      class: 'act',
      'data-tone': tone,
      async onclick() {
        element.disabled = true;
        try {
          await act();
        } catch (error) {
          show(error);
        }
        element.disabled = false;
      },
    },
    text,
  );
  return element;
}
