/** The page at `/docs`: the whole API on one page, without scripts or external resources. */
import { ERROR_DOCS, createDocumentation, type Field, type OperationDoc } from '@skein/api';
import { Html, html, prose } from './html.ts';

/** A skein: geese in flight, one formation. */
const LOGO = new Html(
  '<svg class="logo" viewBox="0 0 32 32" width="28" height="28" aria-hidden="true"><g fill="none" stroke="currentColor" stroke-width="2.4" stroke-linecap="round" stroke-linejoin="round"><path d="M12 8q3 0 4 3 1-3 4-3"/><path d="M4 16q3 0 4 3 1-3 4-3"/><path d="M20 16q3 0 4 3 1-3 4-3"/></g></svg>',
);

/** @param origin target of the examples. @param styles inlined CSS. */
export function renderDocsPage(version: string, origin: string, styles: string): string {
  const documentation = createDocumentation(origin);
  const names = new Set(documentation.types.map(({ name }) => name));

  const type = (text: string): Html =>
    new Html(
      text
        .split(/(\w+)/)
        .map((word) =>
          names.has(word) ? html`<a href="#type-${word}">${word}</a>`.text : html`${word}`.text,
        )
        .join(''),
    );

  const table = (fields: readonly Field[]): Html =>
    html`<div class="scroll" tabindex="0">
      <table>
        <thead>
          <tr>
            <th>Field</th>
            <th>Type</th>
            <th>Meaning</th>
          </tr>
        </thead>
        <tbody>
          ${fields.map(
            (field) =>
              html`<tr>
                <td><code>${field.name}</code>${field.required ? html` <em>required</em>` : ''}</td>
                <td><code>${type(field.type)}</code></td>
                <td>
                  ${prose(field.description)}
                  ${
                    field.default === undefined
                      ? ''
                      : html` Default: <code>${field.default}</code>.`
                  }
                </td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>`;

  const section = (title: string, fields: readonly Field[]): Html | '' =>
    fields.length === 0
      ? ''
      : html`<h4>${title}</h4>
          ${table(fields)}`;

  const operation = (row: OperationDoc): Html =>
    html`<details class="operation">
      <summary>
        <span class="method ${row.method.toLowerCase()}">${row.method}</span>
        <code class="path">${row.path}</code>
        <span class="what">${prose(row.summary)}</span>
      </summary>
      <div class="body" id="${row.id}">
        ${row.description === '' ? '' : html`<p>${prose(row.description)}</p>`}
        ${section('Path', row.pathFields)} ${section('Query', row.queryFields)}
        ${section('Body', row.bodyFields)}
        <dl>
          <dt>Scope</dt>
          <dd><code>${row.scope}</code></dd>
          <dt>Answer</dt>
          <dd><code>${type(row.answer)}</code></dd>
          ${
            row.errors.length === 0
              ? ''
              : html`<dt>Errors</dt>
                  <dd>
                    ${row.errors.map(
                      (code) => html`<a class="code" href="#error-${code}">${code}</a> `,
                    )}
                  </dd>`
          }
        </dl>
        <pre tabindex="0"><code>${row.curl}</code></pre>
      </div>
    </details>`;

  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>Skein API</title>
        <style>
          ${new Html(styles)}
        </style>
      </head>
      <body class="docs">
        <header>
          <a class="brand" href="/">${LOGO}<span>Skein</span></a>
          <span class="muted">API ${version}</span>
          <nav aria-label="Node">
            <a href="/">Console</a><a href="/openapi.json">OpenAPI 3.1</a>
          </nav>
        </header>
        <div class="columns">
          <nav class="contents" aria-label="Contents">
            ${documentation.groups.map(
              ({ name, operations }) =>
                html`<a href="#group-${name}">${name} <small>${operations.length}</small></a>`,
            )}
            <a href="#types">Types <small>${documentation.types.length}</small></a>
            <a href="#errors">Errors <small>${ERROR_DOCS.length}</small></a>
          </nav>
          <main>
            <h1>Reference</h1>
            <p>
              Everything a node can be asked over HTTP. On loopback a node is open; anywhere else it
              asks for <code>Authorization: Bearer KEY</code>. Every refusal and failure has the
              same shape, with a <a href="#errors">code</a>, what happened, and what to do about it:
            </p>
            <pre
              tabindex="0"
            ><code>{ "error": "No deployment is called \\"rsik\\".", "code": "MODEL_UNKNOWN", "fix": "…" }</code></pre>
            <p>
              Any call may also answer with
              ${documentation.commonErrors.map(
                (code) => html`<a class="code" href="#error-${code}">${code}</a> `,
              )}.
            </p>
            ${documentation.groups.map(
              ({ name, operations }) =>
                html`<section id="group-${name}">
                  <h2>${name}</h2>
                  ${operations.map(operation)}
                </section>`,
            )}
            <section id="types">
              <h2>Types</h2>
              ${documentation.types.map(
                ({ name, description, variants }) =>
                  html`<details class="operation">
                    <summary><code class="path">${name}</code></summary>
                    <div class="body" id="type-${name}">
                      ${description === '' ? '' : html`<p>${prose(description)}</p>`}
                      ${variants.map(table)}
                    </div>
                  </details>`,
              )}
            </section>
            <section id="errors">
              <h2>Errors</h2>
              <div class="scroll" tabindex="0">
                <table>
                  <thead>
                    <tr>
                      <th>Code</th>
                      <th>HTTP</th>
                      <th>gRPC</th>
                      <th>When, and what to do</th>
                    </tr>
                  </thead>
                  <tbody>
                    ${ERROR_DOCS.map(
                      (row) =>
                        html`<tr id="error-${row.code}">
                          <td><code class="kind ${row.kind}">${row.code}</code></td>
                          <td>${row.http}</td>
                          <td>${row.grpc}</td>
                          <td>${prose(row.meaning)}<br /><em>${prose(row.fix)}</em></td>
                        </tr>`,
                    )}
                  </tbody>
                </table>
              </div>
            </section>
          </main>
        </div>
      </body>
    </html>`.text;
}
