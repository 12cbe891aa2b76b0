/** Elements from plain values. Text only ever becomes text, so nothing here can be injected into. */

/** @param attributes `on…` are listeners; anything else is an attribute; null, undefined and false are left out. */
export function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...shown(children));
  return element;
}

export function byId(id) {
  return document.getElementById(id);
}

export function replace(element, ...children) {
  element.replaceChildren(...shown(children));
}

function shown(children) {
  return children.flat(Infinity).filter((child) => child !== null && child !== undefined);
}

const policy = globalThis.trustedTypes?.createPolicy('statement', { createHTML: (html) => html });

/** The one piece of markup: a statement, which the judge has rendered without scripts. */
export function statementElement(html) {
  const article = h('div', { class: 'statement' });
  article.innerHTML = policy === undefined ? html : policy.createHTML(html);
  return article;
}
