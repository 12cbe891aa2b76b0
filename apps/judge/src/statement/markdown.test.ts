import { describe, expect, it } from 'vitest';
import { renderMarkdown } from './markdown.ts';

const none = (): undefined => undefined;

describe('a Markdown statement', () => {
  it('shows HTML as text', () => {
    const html = renderMarkdown('<script>alert(1)</script>\n\n<img src=x onerror=alert(1)>', none);
    expect(html).not.toMatch(/<script|<img/);
    expect(html).toContain('&lt;script&gt;');
  });

  it.each(['javascript:alert(1)', 'JAVASCRIPT:alert(1)', 'data:text/html,x', 'vbscript:x'])(
    'makes no link of %s',
    (address) => {
      expect(renderMarkdown(`[here](${address})`, none)).not.toContain('<a ');
    },
  );

  it.each(['<b>^', 'a_1 + [^', '{'.repeat(20_000)])(
    'shows a formula that cannot be read as text: %.20s',
    (formula) => {
      const html = renderMarkdown(`a $${formula}$ b`, none);
      expect(html).toContain(`<code>${formula.replace('<b>', '&lt;b&gt;').slice(0, 20)}`);
    },
  );

  it('turns formulas into MathML, and bad ones into a message instead of an error', () => {
    expect(renderMarkdown('$1 \\le a_1 \\le a_2$', none)).toMatch(/<math[^>]*>.*<\/math>/s);
    expect(renderMarkdown('$\\href{javascript:alert(1)}{x}$', none)).not.toContain(
      'href="javascript',
    );
    expect(renderMarkdown('$\\frac{$', none)).toContain('p>');
  });

  it('keeps brackets and commas with the formula in them', () => {
    const html = renderMarkdown('for ($1 \\le n$), and\n\n$$x$$', none);
    expect(html).toMatch(
      /^<p>for <span class="unbroken">\(<math>[^]*<\/math>\),<\/span> and<\/p>\n<math display="block"/,
    );
  });

  it('shows images of the package alone', () => {
    const image = (name: string) => (name === 'map.png' ? '/assets/map.png' : undefined);
    expect(renderMarkdown('![a](map.png)', image)).toContain('src="/assets/map.png"');
    expect(renderMarkdown('![a](https://elsewhere.example/x.png)', image)).not.toContain('<img');
    expect(renderMarkdown('![a](../problem.yaml)', image)).not.toContain('<img');
  });

  it('has tables and footnotes', () => {
    const html = renderMarkdown('| a | b |\n|---|---|\n| 1 | 2 |\n\nx[^1]\n\n[^1]: note\n', none);
    expect(html).toContain('<table>');
    expect(html).toContain('note');
  });
});
